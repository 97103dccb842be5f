import { useState } from 'react';
import { Alert, Badge, Button, EmptyState, Group, NativeSelect, Paper, Stack, Text, TextInput } from '@mantine/core';
import { useForm } from '@mantine/form';
import { LockClosedIcon, PersonIcon, PlusIcon } from '@radix-ui/react-icons';
import { repositoryPermissions, type RepositoryPermission } from '@latchkey/contracts';
import { useQueryClient } from '@tanstack/react-query';
import { Link } from 'wouter';
import { answerOf, useApi } from '../api/api.ts';
import { toProblem } from '../api/problem.ts';
import { kept, useAnswer, useMay, useUser, useUsers, type Repository, type User } from '../api/queries.ts';
import { useChange, useFaultsAtFields } from '../api/use-change.ts';
import { ConfirmDialog } from '../controls/confirm-dialog.tsx';
import { Details } from '../controls/details.tsx';
import { FormDialog } from '../controls/form-dialog.tsx';
import { List } from '../controls/list.tsx';
import { PermissionsField } from '../controls/permissions-field.tsx';
import { ProblemAlert } from '../controls/problem-alert.tsx';
import { ShownOnce } from '../controls/shown-once.tsx';
import { UserChoice } from '../controls/user-choice.tsx';
import { When } from '../controls/when.tsx';
import { LiveProof } from '../proof/proof-line.tsx';
import { reminderOf } from './dues.ts';

/** The API keys of one user at a time. */
export function UserApiKeys({ repository }: { repository: Repository }) {
  const users = useUsers(repository.slug);
  const first = users.items?.[0];
  const [chosen, setChosen] = useState<number | null>(null);
  const other = useUser(repository.slug, chosen).data;
  const user = chosen === null ? first : other;
  return (
    <Stack>
      <Text maw={720}>
        For a service that can send only a <b>header</b> (<span className="exact">apikey</span>) or an address. A key acts as one user of
        the repository, as far as its permissions go. Many keys can live beside each other; end one and no node accepts it from that moment
        on.
      </Text>
      {users.error && <ProblemAlert problem={toProblem(users.error)} retry={() => void users.refetch()} />}
      {users.items && !first && (
        <Paper withBorder p="xl">
          <EmptyState icon={<PersonIcon />} title="No user, no keys" description="A key acts as a user. Add one to the repository first.">
            <EmptyState.Actions>
              <Button component={Link} href={`/repositories/${repository.slug}/users`}>
                To the users
              </Button>
            </EmptyState.Actions>
          </EmptyState>
        </Paper>
      )}
      {first && <UserChoice slug={repository.slug} label="User" id={chosen ?? first.id} onChoose={setChosen} />}
      {user && <KeysOfUser key={user.id} slug={repository.slug} user={user} />}
    </Stack>
  );
}

interface Key {
  id: string;
  name: string;
}

function KeysOfUser({ slug, user }: { slug: string; user: User }) {
  const path = { slug, id: String(user.id) };
  const keys = useAnswer([...kept.users(slug), 'keys', user.id], (api, signal) =>
    api.GET('/v1/repositories/{slug}/users/{id}/api-keys', { params: { path }, signal }),
  );
  const [adding, setAdding] = useState(false);
  const [made, setMade] = useState<string>();
  const [ending, setEnding] = useState<Key | 'all'>();
  const [cutoffId, setCutoffId] = useState<string>();
  const mayChange = useMay('users:write');
  const addButton = mayChange && (
    <Button size="xs" leftSection={<PlusIcon />} onClick={() => setAdding(true)}>
      Make an API key
    </Button>
  );
  return (
    <Stack gap="md">
      <List
        label={`API keys of ${user.name}`}
        {...keys}
        items={keys.data?.items}
        id={({ id }) => id}
        empty={
          <Paper withBorder p="lg">
            <EmptyState size="sm" icon={<LockClosedIcon />} title={`${user.name} has no API key`}>
              <EmptyState.Actions>{addButton}</EmptyState.Actions>
            </EmptyState>
          </Paper>
        }
        renderRow={(key) => {
          const reminder = reminderOf(key);
          return (
            <Group justify="space-between" gap="xs" className="row">
              <Stack gap={2} miw={0}>
                <Group gap="xs">
                  <Text fw={600}>{key.name}</Text>
                  <Text className="exact">{key.hint}</Text>
                  {reminder !== undefined && (
                    <Badge color="yellow.3" c="dark.9" tt="none" fw={500}>
                      {reminder}
                    </Badge>
                  )}
                </Group>
                <Details>
                  <>
                    created <When at={key.createdAt} />
                  </>
                  {key.lastUsedAt === null ? (
                    'no use recorded'
                  ) : (
                    <>
                      last used <When at={key.lastUsedAt} />
                    </>
                  )}
                  <>
                    ends <When at={key.expiresAt} />
                  </>
                </Details>
                <Text size="sm" c="dimmed">
                  {key.permissions.join(', ') || 'may do nothing'}
                </Text>
              </Stack>
              {mayChange && (
                <Button
                  size="xs"
                  variant="outline"
                  color="var(--mantine-color-error)"
                  onClick={() => setEnding(key)}
                  aria-label={`End the key ${key.name}`}
                >
                  End
                </Button>
              )}
            </Group>
          );
        }}
      />
      {keys.data && keys.data.items.length > 0 && (
        <Group>
          {addButton}
          {mayChange && keys.data.items.length > 1 && (
            <Button size="xs" variant="outline" color="var(--mantine-color-error)" onClick={() => setEnding('all')}>
              End all keys of {user.name}
            </Button>
          )}
        </Group>
      )}
      {cutoffId !== undefined && (
        <Alert color="key" variant="outline" title="Ended">
          <LiveProof slug={slug} cutoffId={cutoffId} />
        </Alert>
      )}
      {adding && <MakeKey slug={slug} user={user} onClose={() => setAdding(false)} onMade={setMade} />}
      {made !== undefined && (
        <ShownOnce title="The new API key" what="the API key" value={made} onClose={() => setMade(undefined)}>
          Store it where the service finds it. It cannot be shown again; if it is lost, end it and make another.
        </ShownOnce>
      )}
      {ending && (
        <EndKeys
          slug={slug}
          user={user}
          which={ending}
          onClose={() => setEnding(undefined)}
          onEnded={(id) => setCutoffId(id ?? undefined)}
        />
      )}
    </Stack>
  );
}

const lives = [
  { value: '30', label: '30 days' },
  { value: '90', label: '90 days' },
  { value: '365', label: 'a year' },
  { value: '1095', label: 'three years' },
];

interface Wish extends Record<string, unknown> {
  name: string;
  permissions: RepositoryPermission[];
  days: string;
}

function MakeKey({ slug, user, onClose, onMade }: { slug: string; user: User; onClose: () => void; onMade: (value: string) => void }) {
  const api = useApi();
  const queries = useQueryClient();
  // Sent again after a failure, it must be the same request to the millisecond.
  const [openedAt] = useState(Date.now);
  const form = useForm<Wish>({ initialValues: { name: '', permissions: ['content:read'], days: '365' } });
  const change = useChange(async (headers, { name, permissions, days }: Wish) => {
    const expiresAt = new Date(openedAt + Number(days) * 86_400_000).toISOString();
    const params = { path: { slug, id: String(user.id) } };
    const body = { name, permissions, expiresAt };
    const made = await answerOf(api.POST('/v1/repositories/{slug}/users/{id}/api-keys', { params, body, headers }));
    void queries.invalidateQueries({ queryKey: [...kept.users(slug), 'keys', user.id] });
    onClose();
    onMade(made.value);
  });
  useFaultsAtFields(form, change.problem);
  return (
    <FormDialog
      title={`Make an API key of ${user.name}`}
      wide
      action="Make the key"
      onSubmit={form.onSubmit((values) => void change.run(values))}
      change={change}
      fields={['name', 'permissions', 'expiresAt']}
      lost="The key was made, and nobody can see it. Close this, end it, and make another."
      onClose={onClose}
    >
      <TextInput
        label="Name"
        description="Of the service that will use it."
        required
        autoComplete="off"
        data-autofocus
        {...form.getInputProps('name')}
      />
      <PermissionsField
        label="What it may do"
        description={`Never more than ${user.name} may.`}
        all={repositoryPermissions}
        value={form.values.permissions}
        onChange={(value) => form.setFieldValue('permissions', value as RepositoryPermission[])}
      />
      <NativeSelect label="Ends by itself after" data={lives} maw={220} {...form.getInputProps('days')} />
    </FormDialog>
  );
}

interface EndKeysProps {
  slug: string;
  user: User;
  which: Key | 'all';
  onClose: () => void;
  onEnded: (cutoffId: string | null) => void;
}

function EndKeys({ slug, user, which, onClose, onEnded }: EndKeysProps) {
  const api = useApi();
  const queries = useQueryClient();
  const id = String(user.id);
  const change = useChange(async (headers) => {
    const { cutoff } = await answerOf(
      which === 'all'
        ? api.DELETE('/v1/repositories/{slug}/users/{id}/api-keys', { params: { path: { slug, id } }, headers })
        : api.DELETE('/v1/repositories/{slug}/users/{id}/api-keys/{keyId}', { params: { path: { slug, id, keyId: which.id } }, headers }),
    );
    await queries.invalidateQueries({ queryKey: [...kept.users(slug), 'keys', user.id] });
    onEnded(cutoff?.id ?? null);
    onClose();
  });
  return (
    <ConfirmDialog
      title={which === 'all' ? `End all keys of ${user.name}?` : `End the key ${which.name}?`}
      action={which === 'all' ? 'End all of them now' : 'End it now'}
      change={change}
      onClose={onClose}
    >
      <Text size="sm">
        From the moment that you confirm, every node refuses {which === 'all' ? 'them' : 'it'}. Whatever uses{' '}
        {which === 'all' ? 'them' : 'it'} stops until it has another.
      </Text>
    </ConfirmDialog>
  );
}
