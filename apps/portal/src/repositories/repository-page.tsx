import { lazy, Suspense, useState } from 'react';
import { Alert, Anchor, Skeleton, Stack, Text } from '@mantine/core';
import { Link } from 'wouter';
import { toProblem } from '../api/problem.ts';
import { useRepository, type Repository } from '../api/queries.ts';
import { ExactValue, Fact, Facts } from '../controls/exact-value.tsx';
import { Page, Section } from '../controls/page.tsx';
import { ProblemAlert } from '../controls/problem-alert.tsx';
import { When } from '../controls/when.tsx';
import { Addresses } from './addresses.tsx';
import { Deleted, Life } from './life.tsx';
import { Status } from './status.tsx';
import { Users } from './users.tsx';

const Configuration = lazy(async () => ({ default: (await import('./configuration.tsx')).Configuration }));
const within = { title: 'Repositories', href: '/' };

/** Everything about one repository; when it was just deleted, the way back. */
export function RepositoryPage({ slug }: { slug: string }) {
  const [deleted, setDeleted] = useState<Repository>();
  if (!deleted) return <Present slug={slug} onDeleted={setDeleted} />;
  return (
    <Page title={deleted.name} within={within} beside={<Status repository={{ ...deleted, status: 'deleted' }} />}>
      <Deleted repository={deleted} onRestored={() => setDeleted(undefined)} />
    </Page>
  );
}

function Present({ slug, onDeleted }: { slug: string; onDeleted: (repository: Repository) => void }) {
  const { data: repository, error, refetch } = useRepository(slug);
  if (!repository) {
    return (
      <Page title={slug} within={within}>
        {error ? (
          <ProblemAlert problem={toProblem(error)} retry={() => void refetch()} />
        ) : (
          <Skeleton height={240} role="status" aria-label="Loading the repository…" />
        )}
      </Page>
    );
  }
  return (
    <Page title={repository.name} within={within} beside={<Status repository={repository} />}>
      {repository.status === 'suspended' && (
        <Alert color="yellow" variant="outline" title="This repository is suspended">
          <Text size="sm">Nobody signs in, and every token and secret is refused. Resume it at the end of this page.</Text>
        </Alert>
      )}
      <Connection repository={repository} />
      <Suspense fallback={<Skeleton height={320} />}>
        <Configuration repository={repository} />
      </Suspense>
      <Users slug={slug} />
      <Addresses repository={repository} />
      <Life repository={repository} onDeleted={() => onDeleted(repository)} />
    </Page>
  );
}

function Connection({ repository: { slug, authorityUrl, repositoryUrl, appClient, toolClient, createdAt } }: { repository: Repository }) {
  return (
    <Section title="Connecting to it">
      <Stack gap="md">
        <Facts>
          <Fact name="Authority URL">
            <ExactValue value={authorityUrl} what="the authority URL" />
          </Fact>
          <Fact name="Repository API">
            <ExactValue value={repositoryUrl} what="the repository API's address" />
          </Fact>
          <Fact name="Client ID for your app">
            <ExactValue value={appClient.clientId} what="the client ID for your app" />
          </Fact>
          <Fact name="Client ID for your tool">
            <ExactValue value={toolClient.clientId} what="the client ID for your tool" />
          </Fact>
          <Fact name="Slug">
            <ExactValue value={slug} what="the slug" />
          </Fact>
          <Fact name="Created">
            <When at={createdAt} />
          </Fact>
        </Facts>
        <Text size="sm">
          The tool's secret, and a new one when you need it, are under{' '}
          <Anchor component={Link} href={`/api-keys/${slug}/token`} inherit underline="always">
            API keys
          </Anchor>
          .
        </Text>
      </Stack>
    </Section>
  );
}
