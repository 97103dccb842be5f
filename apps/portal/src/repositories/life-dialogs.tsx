import { useState } from 'react';
import { List, Text, TextInput } from '@mantine/core';
import { answerOf, useApi } from '../api/api.ts';
import { useForget, type Repository } from '../api/queries.ts';
import { useChange } from '../api/use-change.ts';
import { ConfirmDialog } from '../controls/confirm-dialog.tsx';

const consequences = (
  <List size="sm">
    <List.Item>Nobody can sign in, and who is signed in is signed out.</List.Item>
    <List.Item>Every access token and every secret is refused, on every node.</List.Item>
    <List.Item>The repository API answers no call.</List.Item>
  </List>
);

/** Asks whether to stop a repository. */
export function Suspend({ repository: { slug, name }, onClose }: { repository: Repository; onClose: () => void }) {
  const api = useApi();
  const forget = useForget(slug);
  const change = useChange(async (headers) => {
    await answerOf(api.POST('/v1/repositories/{slug}/suspend', { params: { path: { slug } }, headers }));
    await forget();
    onClose();
  });
  return (
    <ConfirmDialog title={`Suspend ${name}?`} action="Suspend it now" change={change} onClose={onClose}>
      <Text size="sm">From the moment that you confirm, until you resume it:</Text>
      {consequences}
      <Text size="sm">Content, users and client IDs stay. Secrets work again after resuming; tokens have to be got anew.</Text>
    </ConfirmDialog>
  );
}

/** Asks whether to delete a repository, and to type its slug. */
export function Delete({
  repository: { slug, name },
  onClose,
  onDeleted,
}: {
  repository: Repository;
  onClose: () => void;
  onDeleted: () => void;
}) {
  const api = useApi();
  const [typed, setTyped] = useState('');
  const change = useChange(async (headers) => {
    await answerOf(api.DELETE('/v1/repositories/{slug}', { params: { path: { slug } }, headers }));
    onDeleted();
  });
  return (
    <ConfirmDialog title={`Delete ${name}?`} action="Delete it now" change={change} onClose={onClose} disabled={typed !== slug}>
      <Text size="sm">From the moment that you confirm:</Text>
      {consequences}
      <Text size="sm">It can be restored for 30 days. After that its content is gone, and its slug is never given again.</Text>
      <TextInput
        label={
          <>
            Type <span className="exact">{slug}</span> to confirm
          </>
        }
        value={typed}
        onChange={(event) => setTyped(event.currentTarget.value)}
        autoComplete="off"
        autoCapitalize="none"
        spellCheck={false}
        data-autofocus
      />
    </ConfirmDialog>
  );
}
