import { useState } from 'react';
import { Anchor, Button, EmptyState, Flex, Paper, Skeleton, Stack, Text, Title } from '@mantine/core';
import { ArchiveIcon, PlusIcon } from '@radix-ui/react-icons';
import { Link } from 'wouter';
import { toProblem } from '../api/problem.ts';
import { useRepositories, type Repository } from '../api/queries.ts';
import { Details } from '../controls/details.tsx';
import { Page } from '../controls/page.tsx';
import { ProblemAlert } from '../controls/problem-alert.tsx';
import { SearchField, worthSearching } from '../controls/search-field.tsx';
import { When } from '../controls/when.tsx';
import { DeletedRepositories } from './deleted-repositories.tsx';
import { Status } from './status.tsx';

const createButton = (
  <Button component={Link} href="/new-repository" leftSection={<PlusIcon />}>
    Create a repository
  </Button>
);

/** Every repository of the tenant. */
export function RepositoriesPage() {
  const [search, setSearch] = useState('');
  const { items: repositories, error, refetch, hasNextPage, fetchNextPage, isFetchingNextPage } = useRepositories(search);
  const none = repositories?.length === 0;
  return (
    <Page title="Repositories" beside={none && search === '' ? undefined : createButton}>
      {error && <ProblemAlert problem={toProblem(error)} retry={() => void refetch()} />}
      {!repositories && !error && <Skeletons />}
      {none && search === '' && <NoRepository />}
      {(search !== '' || (repositories?.length ?? 0) >= worthSearching) && (
        <SearchField label="Search the repositories" placeholder="Search by name or slug" onSearch={setSearch} />
      )}
      {none && search !== '' && <Text role="status">No repository is called that.</Text>}
      <Stack component="ul" gap="sm" m={0} p={0} style={{ listStyle: 'none' }}>
        {repositories?.map((repository) => (
          <Row key={repository.id} repository={repository} />
        ))}
      </Stack>
      {hasNextPage && (
        <Button variant="default" loading={isFetchingNextPage} onClick={() => void fetchNextPage()} style={{ alignSelf: 'center' }}>
          Show more
        </Button>
      )}
      {/* What comes later comes below, so that nothing is pushed from under a finger. */}
      {repositories && <DeletedRepositories />}
    </Page>
  );
}

function Row({ repository }: { repository: Repository }) {
  return (
    <Paper component="li" withBorder p="md" className="row-link">
      <Flex justify="space-between" gap="xs" direction={{ base: 'column', sm: 'row' }} align={{ sm: 'center' }}>
        <Stack gap={2} miw={0}>
          <Title order={2} size="h5" style={{ overflowWrap: 'anywhere' }}>
            <Anchor component={Link} href={`/repositories/${repository.slug}`} inherit>
              {repository.name}
            </Anchor>
          </Title>
          <Details>
            <span className="exact">{repository.slug}</span>
            <>
              created <When at={repository.createdAt} />
            </>
          </Details>
        </Stack>
        <Status repository={repository} />
      </Flex>
    </Paper>
  );
}

function NoRepository() {
  return (
    <Paper withBorder p="xl">
      <EmptyState icon={<ArchiveIcon />} title="Create your first repository">
        <EmptyState.Description maw={460}>
          A repository holds your content and has its own users. With it come an authority at which they sign in, a client ID for your app,
          and a client ID with a secret for your tools. It is ready in a moment.
        </EmptyState.Description>
        <EmptyState.Actions>{createButton}</EmptyState.Actions>
      </EmptyState>
    </Paper>
  );
}

function Skeletons() {
  return (
    <Stack gap="sm" role="status" aria-label="Loading the repositories…">
      {[0, 1, 2].map((row) => (
        <Skeleton key={row} height={76} radius="md" />
      ))}
    </Stack>
  );
}
