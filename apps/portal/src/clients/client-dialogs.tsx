import { useState } from 'react';
import { Button, Group, List, Modal, Stack, Text, TextInput } from '@mantine/core';
import { useForm } from '@mantine/form';
import { repositoryPermissions, type RepositoryPermission } from '@latchkey/contracts';
import { useQueryClient } from '@tanstack/react-query';
import { answerOf, useApi } from '../api/api.ts';
import { kept, type Repository, type RepositoryClient } from '../api/queries.ts';
import { useChange, useFaultsAtFields } from '../api/use-change.ts';
import { AddressFields } from '../controls/address-fields.tsx';
import { ConfirmDialog } from '../controls/confirm-dialog.tsx';
import { FormDialog } from '../controls/form-dialog.tsx';
import { NewSecret } from '../controls/new-secret.tsx';
import { PermissionsField } from '../controls/permissions-field.tsx';
import { UserChoice } from '../controls/user-choice.tsx';

interface Wish extends Record<string, unknown> {
  name: string;
  redirectUris: string[];
  postLogoutRedirectUris: string[];
  permissions: RepositoryPermission[];
  userId: number | null;
}

const fields = ['name', 'redirectUris', 'postLogoutRedirectUris', 'permissions', 'userId'];
const trimmed = (uris: string[]) => uris.map((uri) => uri.trim()).filter((uri) => uri !== '');

export interface ClientDialogProps {
  repository: Repository;
  kind: 'app' | 'tool';
  /** The client that is changed; a new one if absent. */
  client?: RepositoryClient;
  onClose: () => void;
}

/** Adds or changes a client. A new tool's secret is in this component's state, and nowhere else. */
export function ClientDialog({ repository, kind, client, onClose }: ClientDialogProps) {
  const { slug } = repository;
  const api = useApi();
  const queries = useQueryClient();
  const [made, setMade] = useState<{ clientId: string; secret: string }>();
  const form = useForm<Wish>({
    initialValues: {
      name: client?.name ?? '',
      redirectUris: client?.redirectUris ?? [],
      postLogoutRedirectUris: client?.postLogoutRedirectUris ?? [],
      permissions: (client?.permissions as RepositoryPermission[] | undefined) ?? [...repositoryPermissions],
      userId: client?.userId ?? null,
    },
  });
  const change = useChange(async (headers, { name, permissions, userId, ...uris }: Wish) => {
    const ofApp = { redirectUris: trimmed(uris.redirectUris), postLogoutRedirectUris: trimmed(uris.postLogoutRedirectUris) };
    if (client) {
      const path = { slug, clientId: client.clientId };
      const body = kind === 'app' ? { name, ...ofApp } : { name, permissions, userId };
      await answerOf(api.PATCH('/v1/repositories/{slug}/clients/{clientId}', { params: { path }, body, headers }));
    } else {
      const body =
        kind === 'app'
          ? { kind: 'app' as const, name, ...ofApp }
          : { kind: 'tool' as const, name, permissions, ...(userId === null ? {} : { userId }) };
      const added = await answerOf(api.POST('/v1/repositories/{slug}/clients', { params: { path: { slug } }, body, headers }));
      if (added.secret) setMade({ clientId: added.clientId, secret: added.secret.value });
    }
    // Whoever opens it again at once sees what was saved.
    await Promise.all([
      queries.invalidateQueries({ queryKey: kept.clients(slug) }),
      queries.invalidateQueries({ queryKey: kept.repository(slug), exact: true }),
    ]);
    if (client ?? kind === 'app') onClose();
  });
  useFaultsAtFields(form, change.problem);
  if (made) {
    return (
      <Modal
        opened
        onClose={onClose}
        title={`${form.values.name} is ready`}
        centered
        size="lg"
        closeOnEscape={false}
        closeOnClickOutside={false}
        withCloseButton={false}
      >
        <Stack>
          <NewSecret value={made.secret} settings={{ ...repository, clientId: made.clientId }} />
          <Group justify="flex-end">
            <Button onClick={onClose}>I have stored it</Button>
          </Group>
        </Stack>
      </Modal>
    );
  }
  const noun = kind === 'app' ? 'an app client' : 'a tool client';
  return (
    <FormDialog
      title={client ? `Change ${client.name}` : `Add ${noun}`}
      wide
      action={client ? 'Save' : `Add ${noun}`}
      onSubmit={form.onSubmit((values) => void change.run(values))}
      change={change}
      fields={fields}
      lost="It was added. Close this, and regenerate its secret to get one that you can see."
      onClose={onClose}
    >
      <TextInput label="Name" required autoComplete="off" data-autofocus {...form.getInputProps('name')} />
      {kind === 'app' ? (
        <>
          <AddressFields
            legend="Redirect URIs"
            about="Where the authority may send people back to after they signed in."
            one="a redirect URI"
            placeholder="https://app.example.com/signed-in"
            name="redirectUris"
            value={form.values.redirectUris}
            errors={form.errors}
            onChange={(uris) => form.setFieldValue('redirectUris', uris)}
          />
          <AddressFields
            legend="Redirect URIs after signing out"
            about="Where the authority may send people after they signed out."
            one="a redirect URI after signing out"
            placeholder="https://app.example.com/"
            name="postLogoutRedirectUris"
            value={form.values.postLogoutRedirectUris}
            errors={form.errors}
            onChange={(uris) => form.setFieldValue('postLogoutRedirectUris', uris)}
          />
        </>
      ) : (
        <>
          <PermissionsField
            label="What it may do"
            all={repositoryPermissions}
            value={form.values.permissions}
            onChange={(value) => form.setFieldValue('permissions', value as RepositoryPermission[])}
          />
          <UserChoice
            slug={slug}
            label="Acts in the name of"
            description="Changing it ends the tokens that the tool has."
            none="The default administrator"
            id={form.values.userId}
            onChoose={(id) => form.setFieldValue('userId', id)}
          />
        </>
      )}
    </FormDialog>
  );
}

/** Asks before a client is removed. */
export function RemoveClient({ slug, client, onClose }: { slug: string; client: RepositoryClient; onClose: () => void }) {
  const api = useApi();
  const queries = useQueryClient();
  const { clientId, name, kind } = client;
  const change = useChange(async (headers) => {
    await answerOf(api.DELETE('/v1/repositories/{slug}/clients/{clientId}', { params: { path: { slug, clientId } }, headers }));
    await queries.invalidateQueries({ queryKey: kept.clients(slug) });
    onClose();
  });
  return (
    <ConfirmDialog title={`Remove ${name}?`} action="Remove it now" change={change} onClose={onClose}>
      <Text size="sm">From the moment that you confirm, on every node:</Text>
      <List size="sm">
        <List.Item>
          the client ID <span className="exact">{clientId}</span> is unknown, for ever
        </List.Item>
        {kind === 'tool' ? (
          <List.Item>its secrets, and every token that was got with them, are refused</List.Item>
        ) : (
          <List.Item>nobody can sign in through it, and the tokens that people have through it are refused</List.Item>
        )}
      </List>
    </ConfirmDialog>
  );
}
