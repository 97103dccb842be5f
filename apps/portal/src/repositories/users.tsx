import { lazy, Suspense, useState } from 'react';
import { Badge, Button, EmptyState, Group, Paper, Skeleton, Stack, Text } from '@mantine/core';
import { PersonIcon, PlusIcon } from '@radix-ui/react-icons';
import { toProblem } from '../api/problem.ts';
import { useUsers, type User } from '../api/queries.ts';
import { Section } from '../controls/page.tsx';
import { ProblemAlert } from '../controls/problem-alert.tsx';
import { When } from '../controls/when.tsx';

const AddUser = lazy(async () => ({ default: (await import('./user-dialogs.tsx')).AddUser }));
const PasswordLink = lazy(async () => ({ default: (await import('./user-dialogs.tsx')).PasswordLink }));

/** The people who can sign in at a repository. */
export function Users({ slug }: { slug: string }) {
  const { data, error, refetch, hasNextPage, fetchNextPage, isFetchingNextPage } = useUsers(slug);
  const [adding, setAdding] = useState(false);
  const [inviting, setInviting] = useState<User>();
  const users = data?.pages.flatMap((page) => page.items);
  const addButton = (
    <Button size="xs" leftSection={<PlusIcon />} onClick={() => setAdding(true)}>
      Add a user
    </Button>
  );
  return (
    <Section
      title="Users"
      about="The people who sign in at this repository's authority. They belong to this repository alone."
      beside={users && users.length > 0 && addButton}
    >
      {error && <ProblemAlert problem={toProblem(error)} retry={() => void refetch()} />}
      {!users && !error && <Skeleton height={64} />}
      {users?.length === 0 && (
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
          <UserRow key={user.id} user={user} onInvite={() => setInviting(user)} />
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
        {inviting && <PasswordLink slug={slug} user={inviting} onClose={() => setInviting(undefined)} />}
      </Suspense>
    </Section>
  );
}

function UserRow({ user, onInvite }: { user: User; onInvite: () => void }) {
  return (
    <Paper component="li" withBorder px="md" py="xs">
      <Group justify="space-between" gap="xs">
        <Stack gap={0} miw={0}>
          <Group gap="xs">
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
          <Text size="sm" c="dimmed" style={{ overflowWrap: 'anywhere' }}>
            <span className="exact">{user.loginName}</span>
            {user.email !== null && ` · ${user.email}`} · added <When at={user.createdAt} />
          </Text>
        </Stack>
        <Button size="xs" variant="default" onClick={onInvite} aria-label={`Make a password link for ${user.name}`}>
          Password link
        </Button>
      </Group>
    </Paper>
  );
}
