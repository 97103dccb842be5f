import { lazy, Suspense, useEffect, useState } from 'react';
import { Alert, Anchor, Skeleton, Stack, Tabs, Text } from '@mantine/core';
import { Link, useLocation } from 'wouter';
import { toProblem } from '../api/problem.ts';
import { kept, useAnswer, useRepository, type Repository } from '../api/queries.ts';
import { ExactValue, Fact, Facts } from '../controls/exact-value.tsx';
import { Page, Section } from '../controls/page.tsx';
import { ProblemAlert } from '../controls/problem-alert.tsx';
import { When } from '../controls/when.tsx';
import { Deleted } from './life.tsx';
import { Status } from './status.tsx';

const Configuration = lazy(async () => ({ default: (await import('./configuration.tsx')).Configuration }));
const Users = lazy(async () => ({ default: (await import('./users.tsx')).Users }));
const Settings = lazy(async () => ({ default: (await import('./settings/settings.tsx')).Settings }));
const tabs = ['connect', 'users', 'settings'] as const;
const within = { title: 'Repositories', href: '/' };

/** Everything about one repository; when it was deleted, the way back. */
export function RepositoryPage({ slug, tab }: { slug: string; tab: string | undefined }) {
  const [deleted, setDeleted] = useState<Repository>();
  if (!deleted) return <Present slug={slug} tab={tabs.find((each) => each === tab) ?? 'connect'} onDeleted={setDeleted} />;
  return (
    <Page title={deleted.name} within={within} beside={<Status repository={{ ...deleted, status: 'deleted' }} />}>
      <Deleted repository={deleted} onRestored={() => setDeleted(undefined)} />
    </Page>
  );
}

function Present({ slug, tab, onDeleted }: { slug: string; tab: string; onDeleted: (repository: Repository) => void }) {
  const [, navigate] = useLocation();
  const { data: repository, error, refetch } = useRepository(slug);
  const isGone = error !== null && toProblem(error).type === 'not-found';
  const { data: deleted, isLoading } = useAnswer(
    [...kept.repositories, 'deleted', slug],
    (api, signal) => api.GET('/v1/repositories', { params: { query: { deleted: 'true', search: slug, limit: 100 } }, signal }),
    { enabled: isGone },
  );
  const found = isGone ? deleted?.items.find((each) => each.slug === slug) : undefined;
  useEffect(() => {
    if (found) onDeleted(found);
  }, [found, onDeleted]);
  if (!repository || found) {
    return (
      <Page title={slug} within={within}>
        {error && !found && !isLoading ? (
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
          <Text size="sm">Nobody signs in, and every token and secret is refused. Resume it at the end of its settings.</Text>
        </Alert>
      )}
      <Tabs value={tab} onChange={(next) => navigate(`/repositories/${slug}/${next}`, { replace: true })} keepMounted={false}>
        <Tabs.List>
          <Tabs.Tab value="connect">Connect</Tabs.Tab>
          <Tabs.Tab value="users">Users</Tabs.Tab>
          <Tabs.Tab value="settings">Settings</Tabs.Tab>
        </Tabs.List>
        <Suspense fallback={<Skeleton height={320} mt="lg" />}>
          <Tabs.Panel value="connect" pt="lg">
            <Stack gap="lg">
              <Connection repository={repository} />
              <Configuration repository={repository} />
            </Stack>
          </Tabs.Panel>
          <Tabs.Panel value="users" pt="lg">
            <Users slug={slug} />
          </Tabs.Panel>
          <Tabs.Panel value="settings" pt="lg">
            <Settings repository={repository} onDeleted={() => onDeleted({ ...repository, deletedAt: new Date().toISOString() })} />
          </Tabs.Panel>
        </Suspense>
      </Tabs>
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
