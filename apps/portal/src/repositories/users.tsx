import { lazy, Suspense, useState } from 'react';
import { Badge, Box, Button, EmptyState, Group, Menu, Paper, Skeleton, Stack, Text } from '@mantine/core';
import { useQueryClient } from '@tanstack/react-query';
import { ChevronDownIcon, PersonIcon, PlusIcon } from '@radix-ui/react-icons';
import { toProblem } from '../api/problem.ts';
import { answerOf, useApi } from '../api/api.ts';
import { kept, useMay, useUsers, type User } from '../api/queries.ts';
import { useChange } from '../api/use-change.ts';
import { Details } from '../controls/details.tsx';
import { Section } from '../controls/page.tsx';
import { ProblemAlert } from '../controls/problem-alert.tsx';
import { SearchField, worthSearching } from '../controls/search-field.tsx';
import { When } from '../controls/when.tsx';
import { userAccount } from '../people/account.ts';

const AddUser = lazy(async () => ({ default: (await import('./user-dialogs.tsx')).AddUser }));
const ChangeUser = lazy(async () => ({ default: (await import('./user-actions.tsx')).ChangeUser }));
const DisableUser = lazy(async () => ({ default: (await import('./user-actions.tsx')).DisableUser }));
const AccountSessions = lazy(async () => ({ default: (await import('../people/account-sessions.tsx')).AccountSessions }));
const DeleteUser = lazy(async () => ({ default: (await import('./user-actions.tsx')).DeleteUser }));
const AccountFactors = lazy(async () => ({ default: (await import('../people/account-factors.tsx')).AccountFactors }));
const PasswordLink = lazy(async () => ({ default: (await import('./user-dialogs.tsx')).PasswordLink }));

/** The people who can sign in at a repository. */
export function Users({ slug }: { slug: string }) {
  const [search, setSearch] = useState('');
  const { items: users, error, refetch, hasNextPage, fetchNextPage, isFetchingNextPage } = useUsers(slug, search);
  const [adding, setAdding] = useState(false);
  const [inviting, setInviting] = useState<User>();
  const [doing, setDoing] = useState<{ what: Deed; user: User }>();
  const mayChange = useMay('users:write');
  const addButton = mayChange && (
    <Button size="xs" leftSection={<PlusIcon />} onClick={() => setAdding(true)}>
      Add a user
    </Button>
  );
  return (
    <Section
      title="Users"
      about="The people who sign in at this repository's authority. They belong to this repository alone."
      beside={users && (users.length > 0 || search !== '') && addButton}
    >
      {error && <ProblemAlert problem={toProblem(error)} retry={() => void refetch()} />}
      {!users && !error && <Skeleton height={64} />}
      {(search !== '' || (users?.length ?? 0) >= worthSearching) && (
        <Box mb="sm">
          <SearchField label="Search the users" placeholder="Search by name, user name or e-mail" onSearch={setSearch} />
        </Box>
      )}
      {users?.length === 0 && search !== '' && <Text role="status">No user is called that.</Text>}
      {users?.length === 0 && search === '' && (
        <EmptyState
          size="sm"
          icon={<PersonIcon />}
          title="Nobody can sign in yet"
          description="Add the first user, then try it with your app."
        >
          <EmptyState.Actions>{addButton}</EmptyState.Actions>
        </EmptyState>
      )}
      <Stack component="ul" gap="xs" m={0} p={0} style={{ listStyle: 'none' }} aria-label="Users">
        {users?.map((user) => (
          <UserRow
            key={user.id}
            slug={slug}
            user={user}
            mayChange={mayChange}
            onInvite={() => setInviting(user)}
            onDo={(what) => setDoing({ what, user })}
          />
        ))}
      </Stack>
      {hasNextPage && (
        <Button mt="sm" size="xs" variant="default" loading={isFetchingNextPage} onClick={() => void fetchNextPage()}>
          Show more
        </Button>
      )}
      <Suspense>
        {adding && (
          <AddUser
            slug={slug}
            onClose={() => setAdding(false)}
            onAdded={(user, needsLink) => {
              setAdding(false);
              if (needsLink) setInviting(user);
            }}
          />
        )}
        {doing?.what === 'change' && <ChangeUser slug={slug} user={doing.user} onClose={() => setDoing(undefined)} />}
        {doing?.what === 'disable' && <DisableUser slug={slug} user={doing.user} onClose={() => setDoing(undefined)} />}
        {doing?.what === 'sessions' && <AccountSessions account={userAccount(slug, doing.user)} onClose={() => setDoing(undefined)} />}
        {doing?.what === 'delete' && <DeleteUser slug={slug} user={doing.user} onClose={() => setDoing(undefined)} />}
        {doing?.what === 'factors' && <AccountFactors account={userAccount(slug, doing.user)} onClose={() => setDoing(undefined)} />}
        {inviting && <PasswordLink slug={slug} user={inviting} onClose={() => setInviting(undefined)} />}
      </Suspense>
    </Section>
  );
}

type Deed = 'change' | 'disable' | 'sessions' | 'factors' | 'delete';

interface UserRowProps {
  slug: string;
  user: User;
  mayChange: boolean;
  onInvite: () => void;
  onDo: (what: Deed) => void;
}

function UserRow({ slug, user, mayChange, onInvite, onDo }: UserRowProps) {
  const api = useApi();
  const queries = useQueryClient();
  const enable = useChange(async (headers) => {
    const params = { path: { slug, id: String(user.id) } };
    await answerOf(api.PATCH('/v1/repositories/{slug}/users/{id}', { params, body: { enabled: true }, headers }));
    await queries.invalidateQueries({ queryKey: kept.users(slug) });
  });
  return (
    <Paper component="li" withBorder px="md" py="xs">
      <Group justify="space-between" gap="xs" wrap="nowrap" align="flex-start">
        <Group gap="0.25rem 0.5rem" miw={0}>
          <Text fw={600} style={{ overflowWrap: 'anywhere' }}>
            {user.name}
          </Text>
          {!user.enabled && (
            <Badge color="gray.3" c="dark.9" tt="none" fw={500}>
              Disabled
            </Badge>
          )}
          {!user.hasPassword && (
            <Badge variant="default" tt="none" fw={500}>
              No password yet
            </Badge>
          )}
        </Group>
        {mayChange && (
          <Menu position="bottom-end" withinPortal={false}>
            <Menu.Target>
              <Button size="xs" variant="default" rightSection={<ChevronDownIcon />} flex="none" aria-label={`Actions for ${user.name}`}>
                Actions
              </Button>
            </Menu.Target>
            <Menu.Dropdown>
              <Menu.Item onClick={onInvite}>Make a password link</Menu.Item>
              <Menu.Item onClick={() => onDo('change')}>Change name or address</Menu.Item>
              <Menu.Item onClick={() => onDo('sessions')}>Where they are signed in</Menu.Item>
              <Menu.Item onClick={() => onDo('factors')}>Second factors</Menu.Item>
              {user.enabled ? (
                <Menu.Item color="var(--mantine-color-error)" onClick={() => onDo('disable')}>
                  Disable
                </Menu.Item>
              ) : (
                <Menu.Item onClick={() => void enable.run()}>Enable</Menu.Item>
              )}
              <Menu.Item color="var(--mantine-color-error)" onClick={() => onDo('delete')}>
                Delete
              </Menu.Item>
            </Menu.Dropdown>
          </Menu>
        )}
      </Group>
      <Details>
        <span className="exact">{user.loginName}</span>
        {user.email}
        <>
          added <When at={user.createdAt} />
        </>
      </Details>
      <ProblemAlert problem={enable.problem} />
    </Paper>
  );
}
