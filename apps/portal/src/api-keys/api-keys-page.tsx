import { lazy, Suspense } from 'react';
import { Anchor, Group, Paper, Skeleton, Stack, Tabs, Text, Title } from '@mantine/core';
import { Link, Redirect, useLocation } from 'wouter';
import { toProblem } from '../api/problem.ts';
import { useClients, useRepositories, useRepository, type Repository } from '../api/queries.ts';
import { AddClient, ClientActions } from '../clients/client-actions.tsx';
import { ExactValue, Fact, Facts } from '../controls/exact-value.tsx';
import { NoRepository } from '../controls/no-repository.tsx';
import { Page } from '../controls/page.tsx';
import { ProblemAlert } from '../controls/problem-alert.tsx';
import { RepositoryChoice } from '../controls/repository-choice.tsx';
import { ToolClient } from './tool-client.tsx';

const UserApiKeys = lazy(async () => ({ default: (await import('./user-api-keys.tsx')).UserApiKeys }));

const tabs = ['app', 'token', 'users'] as const;

/** Client IDs and secrets of one repository at a time; which one is in the address, and so is the tab. */
export function ApiKeysPage({ slug, tab }: { slug: string | undefined; tab: string | undefined }) {
  const [, navigate] = useLocation();
  const list = useRepositories();
  const repositories = list.items;
  const present = tabs.find((each) => each === tab) ?? 'app';
  const [first] = repositories ?? [];
  if (slug === undefined && first) return <Redirect to={`/api-keys/${first.slug}/${present}`} replace />;
  return (
    <Page title="API keys">
      {list.error && <ProblemAlert problem={toProblem(list.error)} retry={() => void list.refetch()} />}
      {list.isPending && <Skeleton height={60} maw={420} role="status" aria-label="Loading the repositories…" />}
      {repositories?.length === 0 && <NoRepository />}
      {slug !== undefined && repositories && repositories.length > 0 && (
        <>
          <RepositoryChoice
            description="Client IDs and secrets belong to one repository."
            slug={slug}
            onChoose={(value) => value !== null && navigate(`/api-keys/${value}/${present}`)}
          />
          <KeysOf slug={slug} tab={present} onTab={(next) => navigate(`/api-keys/${slug}/${next}`, { replace: true })} />
        </>
      )}
    </Page>
  );
}

function KeysOf({ slug, tab, onTab }: { slug: string; tab: string; onTab: (tab: string) => void }) {
  const repository = useRepository(slug);
  if (repository.error && !repository.data)
    return <ProblemAlert problem={toProblem(repository.error)} retry={() => void repository.refetch()} />;
  return (
    <Tabs value={tab} onChange={(next) => next !== null && onTab(next)} keepMounted={false}>
      <Tabs.List>
        <Tabs.Tab value="app" px={{ base: 'xs', sm: 'md' }}>
          Client ID for your app
        </Tabs.Tab>
        <Tabs.Tab value="token" px={{ base: 'xs', sm: 'md' }}>
          Personal access token
        </Tabs.Tab>
        <Tabs.Tab value="users" px={{ base: 'xs', sm: 'md' }}>
          User API keys
        </Tabs.Tab>
      </Tabs.List>
      <Tabs.Panel value="app" pt="lg">
        {repository.data && <AppClients repository={repository.data} />}
      </Tabs.Panel>
      <Tabs.Panel value="token" pt="lg">
        {repository.data && <ToolClients repository={repository.data} />}
      </Tabs.Panel>
      <Tabs.Panel value="users" pt="lg">
        <Suspense fallback={<Skeleton height={160} />}>{repository.data && <UserApiKeys repository={repository.data} />}</Suspense>
      </Tabs.Panel>
    </Tabs>
  );
}

function AppClients({ repository }: { repository: Repository }) {
  const clients = useClients(repository.slug);
  return (
    <Stack>
      <Text maw={720}>
        For an application in which <b>people sign in themselves</b>: a web page, a mobile app, a program on a desktop. It needs no secret,
        because everybody proves who they are with their own password. Put the client ID into the application's configuration, together with
        the authority URL.
      </Text>
      <ProblemAlert problem={clients.error ? toProblem(clients.error) : undefined} retry={() => void clients.refetch()} />
      {clients.isPending && <Skeleton height={90} />}
      {clients.data
        ?.filter((client) => client.kind === 'app')
        .map((client) => (
          <Paper key={client.clientId} withBorder p="md">
            <Group justify="space-between" gap="xs" mb="sm">
              <Title order={2} size="h5">
                {client.name}
              </Title>
              <ClientActions repository={repository} client={client} />
            </Group>
            <Facts>
              <Fact name="Client ID">
                <ExactValue value={client.clientId} what={`the client ID of ${client.name}`} />
              </Fact>
              <Fact name="Authority URL">
                <ExactValue value={repository.authorityUrl} what="the authority URL" />
              </Fact>
              <Fact name="Redirect URIs">
                {client.redirectUris.length === 0
                  ? 'none yet: nobody can sign in through it'
                  : client.redirectUris.map((uri) => (
                      <Text key={uri} className="exact">
                        {uri}
                      </Text>
                    ))}
              </Fact>
            </Facts>
          </Paper>
        ))}
      <AddClient repository={repository} kind="app" />
      <Text size="sm">
        Configuration to paste is on{' '}
        <Anchor component={Link} href={`/repositories/${repository.slug}`} inherit underline="always">
          the page of {repository.name}
        </Anchor>
        .
      </Text>
    </Stack>
  );
}

function ToolClients({ repository }: { repository: Repository }) {
  const clients = useClients(repository.slug);
  return (
    <Stack>
      <Stack gap="xs" maw={720}>
        <Text>
          For a <b>tool</b>, or for calls from one server to another. It needs a client ID and a secret, and everything it does is done in
          the name of one user of the repository, which is the default administrator unless you choose another.
        </Text>
        <Text>
          The secret is what a password is for a person. Give it to nobody, and keep it out of source code. If somebody else may know it,
          regenerate it: the earlier one is refused from that moment on, and every tool that uses it needs the new one. A client ID cannot
          be regenerated.
        </Text>
      </Stack>
      <ProblemAlert problem={clients.error ? toProblem(clients.error) : undefined} retry={() => void clients.refetch()} />
      {clients.isPending && <Skeleton height={160} />}
      {clients.data
        ?.filter((client) => client.kind === 'tool')
        .map((client) => (
          <ToolClient
            key={client.clientId}
            repository={repository}
            client={client}
            beside={<ClientActions repository={repository} client={client} />}
          />
        ))}
      <AddClient repository={repository} kind="tool" />
    </Stack>
  );
}
