import { useState } from 'react';
import { Text, TextInput } from '@mantine/core';
import { useForm } from '@mantine/form';
import { useQueryClient } from '@tanstack/react-query';
import { answerOf, useApi } from '../api/api.ts';
import { kept, type User } from '../api/queries.ts';
import { useChange, useFaultsAtFields } from '../api/use-change.ts';
import { ConfirmDialog } from '../controls/confirm-dialog.tsx';
import { FormDialog } from '../controls/form-dialog.tsx';
import { Proven } from '../proof/proven.tsx';

export interface UserDialogProps {
  slug: string;
  user: User;
  onClose: () => void;
}

/** Changes the name or the address of a user. */
export function ChangeUser({ slug, user, onClose }: UserDialogProps) {
  const api = useApi();
  const queries = useQueryClient();
  const form = useForm({ initialValues: { name: user.name, email: user.email ?? '' } });
  const change = useChange(async (headers, { name, email }: { name: string; email: string }) => {
    const body = { name, ...(email === '' ? {} : { email }) };
    await answerOf(api.PATCH('/v1/repositories/{slug}/users/{id}', { params: { path: { slug, id: String(user.id) } }, body, headers }));
    await queries.invalidateQueries({ queryKey: kept.users(slug) });
    onClose();
  });
  useFaultsAtFields(form, change.problem);
  return (
    <FormDialog
      title={`Change ${user.name}`}
      action="Save"
      onSubmit={form.onSubmit((values) => void change.run(values))}
      change={change}
      fields={['name', 'email']}
      onClose={onClose}
    >
      <TextInput label="Name" autoComplete="off" data-autofocus {...form.getInputProps('name')} />
      <TextInput label="E-mail address" type="email" autoComplete="off" {...form.getInputProps('email')} />
    </FormDialog>
  );
}

/** Asks before a user is shut out. */
export function DisableUser({ slug, user, onClose }: UserDialogProps) {
  const api = useApi();
  const queries = useQueryClient();
  const [cutoffId, setCutoffId] = useState<string>();
  const change = useChange(async (headers) => {
    const params = { path: { slug, id: String(user.id) } };
    const { cutoff } = await answerOf(api.PATCH('/v1/repositories/{slug}/users/{id}', { params, body: { enabled: false }, headers }));
    await queries.invalidateQueries({ queryKey: kept.users(slug) });
    if (cutoff) setCutoffId(cutoff.id);
    else onClose();
  });
  if (cutoffId !== undefined) return <Proven slug={slug} title={`${user.name} is disabled`} cutoffId={cutoffId} onClose={onClose} />;
  return (
    <ConfirmDialog title={`Disable ${user.name}?`} action="Disable now" change={change} onClose={onClose}>
      <Text size="sm">
        From the moment that you confirm, every node refuses their sessions, tokens and API keys, and they cannot sign in until you enable
        them again. Tools that act in their name stop too.
      </Text>
    </ConfirmDialog>
  );
}

/** Asks before a user is deleted. */
export function DeleteUser({ slug, user, onClose }: UserDialogProps) {
  const api = useApi();
  const queries = useQueryClient();
  const [cutoffId, setCutoffId] = useState<string>();
  const change = useChange(async (headers) => {
    const params = { path: { slug, id: String(user.id) } };
    const { cutoff } = await answerOf(api.DELETE('/v1/repositories/{slug}/users/{id}', { params, headers }));
    setCutoffId(cutoff.id);
  });
  const close = () => {
    onClose();
    void queries.invalidateQueries({ queryKey: kept.users(slug) });
  };
  if (cutoffId !== undefined) return <Proven slug={slug} title={`${user.name} is deleted`} cutoffId={cutoffId} onClose={close} />;
  return (
    <ConfirmDialog title={`Delete ${user.name}?`} action="Delete now" change={change} onClose={onClose}>
      <Text size="sm">
        From the moment that you confirm, every node refuses their sessions, tokens and API keys. What they made stays. For 30 days they are
        in the trash of the repository, from where they can be given back; then what is known of the person is gone.
      </Text>
    </ConfirmDialog>
  );
}
