import { useState } from 'react';
import { Alert, Button, Checkbox, Group, Modal, PasswordInput, Radio, Stack, Text, TextInput } from '@mantine/core';
import { useForm } from '@mantine/form';
import { shortestPassword } from '@latchkey/contracts';
import { useQueryClient } from '@tanstack/react-query';
import { answerOf, useApi } from '../api/api.ts';
import { kept, useRepository, type User } from '../api/queries.ts';
import { useChange, useFaultsAtFields } from '../api/use-change.ts';
import { ExactValue } from '../controls/exact-value.tsx';
import { FormDialog } from '../controls/form-dialog.tsx';
import { ProblemAlert } from '../controls/problem-alert.tsx';

interface Wish extends Record<string, unknown> {
  loginName: string;
  name: string;
  email: string;
  by: 'link' | 'password';
  password: string;
  administrator: boolean;
}

/** Adds a person who can sign in. */
export function AddUser({
  slug,
  onClose,
  onAdded,
}: {
  slug: string;
  onClose: () => void;
  onAdded: (user: User, needsLink: boolean) => void;
}) {
  const api = useApi();
  const queries = useQueryClient();
  const repository = useRepository(slug);
  const form = useForm<Wish>({ initialValues: { loginName: '', name: '', email: '', by: 'link', password: '', administrator: false } });
  const change = useChange(async (headers, { loginName, name, email, by, password, administrator }: Wish) => {
    const body = {
      loginName,
      administrator,
      ...(name ? { name } : {}),
      ...(email ? { email } : {}),
      ...(by === 'password' ? { password } : {}),
    };
    const user = await answerOf(api.POST('/v1/repositories/{slug}/users', { params: { path: { slug } }, body, headers }));
    void queries.invalidateQueries({ queryKey: kept.users(slug) });
    onAdded(user, by === 'link');
  });
  useFaultsAtFields(form, change.problem);
  return (
    <FormDialog
      title="Add a user"
      action="Add the user"
      onSubmit={form.onSubmit((values) => void change.run(values))}
      change={change}
      fields={['loginName', 'name', 'email', 'password', 'administrator']}
      onClose={onClose}
    >
      <TextInput
        label="User name"
        description="With which they sign in. It stays."
        required
        autoComplete="off"
        autoCapitalize="none"
        data-autofocus
        {...form.getInputProps('loginName')}
      />
      <TextInput label="Name" autoComplete="off" {...form.getInputProps('name')} />
      <TextInput label="E-mail address" type="email" autoComplete="off" {...form.getInputProps('email')} />
      <Radio.Group label="Password" {...form.getInputProps('by')}>
        <Stack gap="xs" mt="xs">
          <Radio value="link" label="They choose it" description="You get a link that works once, to hand to them." />
          <Radio value="password" label="I set it" />
        </Stack>
      </Radio.Group>
      {form.values.by === 'password' && (
        <PasswordInput
          label="Their password"
          description={repository.data && `At least ${shortestPassword(repository.data)} characters.`}
          required
          autoComplete="new-password"
          {...form.getInputProps('password')}
        />
      )}
      <Checkbox
        label="Administrator"
        description="May do everything in this repository."
        {...form.getInputProps('administrator', { type: 'checkbox' })}
      />
    </FormDialog>
  );
}

/** Makes a link with which a user chooses a password, and shows it this once. */
export function PasswordLink({ slug, user, onClose }: { slug: string; user: User; onClose: () => void }) {
  const api = useApi();
  const [link, setLink] = useState<string>();
  const change = useChange(async (headers) => {
    const answer = await answerOf(
      api.POST('/v1/repositories/{slug}/users/{id}/invite', { params: { path: { slug, id: String(user.id) } }, headers }),
    );
    setLink(answer.link);
  });
  return (
    <Modal opened onClose={onClose} title={`Password link for ${user.name}`} centered closeOnClickOutside={link === undefined}>
      <Stack>
        {link === undefined ? (
          <Text size="sm">
            Whoever opens the link chooses the password of <b>{user.loginName}</b>
            {user.hasPassword && ', and the present one ends'}. It works once, within seven days.
          </Text>
        ) : (
          <Alert color="yellow" variant="outline" title="The link is shown this once">
            <ExactValue value={link} what="the link" />
          </Alert>
        )}
        <ProblemAlert problem={change.problem} lost="Make another link to get one that you can see; the one before works no more." />
        <Group justify="flex-end">
          <Button variant="default" onClick={onClose}>
            {link === undefined ? 'Not now' : 'Done'}
          </Button>
          {link === undefined && (
            <Button loading={change.pending} onClick={() => void change.run()} data-autofocus>
              Make the link
            </Button>
          )}
        </Group>
      </Stack>
    </Modal>
  );
}
