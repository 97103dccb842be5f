import { lazy, Suspense, useState } from 'react';
import { Anchor, MantineProvider, Text } from '@mantine/core';
import { QueryClientProvider } from '@tanstack/react-query';
import { Link, Redirect, Route, Switch, useLocation } from 'wouter';
import { createQueryClient } from './api/queries.ts';
import { Page, PageGuard } from './controls/page.tsx';
import { SignedIn, Waiting } from './session/signed-in.tsx';
import { Shell } from './shell.tsx';
import { cssVariables, theme } from './theme.ts';

const RepositoriesPage = lazy(async () => ({ default: (await import('./repositories/repositories-page.tsx')).RepositoriesPage }));
const CreateRepositoryPage = lazy(async () => ({
  default: (await import('./repositories/create-repository-page.tsx')).CreateRepositoryPage,
}));
const RepositoryPage = lazy(async () => ({ default: (await import('./repositories/repository-page.tsx')).RepositoryPage }));
const ApiKeysPage = lazy(async () => ({ default: (await import('./api-keys/api-keys-page.tsx')).ApiKeysPage }));
const WebhooksPage = lazy(async () => ({ default: (await import('./webhooks/webhooks-page.tsx')).WebhooksPage }));
const UsagePage = lazy(async () => ({ default: (await import('./usage/usage-page.tsx')).UsagePage }));
const AuditPage = lazy(async () => ({ default: (await import('./audit/audit-page.tsx')).AuditPage }));
const MembersPage = lazy(async () => ({ default: (await import('./tenant/members-page.tsx')).MembersPage }));
const CredentialsPage = lazy(async () => ({ default: (await import('./tenant/credentials-page.tsx')).CredentialsPage }));
const ProfilePage = lazy(async () => ({ default: (await import('./tenant/profile-page.tsx')).ProfilePage }));
const CanaryPage = lazy(async () => ({ default: (await import('./proof/canary-page.tsx')).CanaryPage }));
const TenantPage = lazy(async () => ({ default: (await import('./tenant/tenant-page.tsx')).TenantPage }));

/** The whole portal. Each page is loaded when it is first gone to. */
export function Portal() {
  const [queryClient] = useState(createQueryClient);
  return (
    <MantineProvider theme={theme} cssVariablesResolver={cssVariables} defaultColorScheme="auto">
      <QueryClientProvider client={queryClient}>
        <SignedIn>
          <Shell>
            <Pages />
          </Shell>
        </SignedIn>
      </QueryClientProvider>
    </MantineProvider>
  );
}

function Pages() {
  const [path] = useLocation();
  // One page has one guard, whichever of its tabs is open.
  return (
    <PageGuard key={path.split('/').slice(0, 3).join('/')}>
      <Suspense fallback={<Waiting words="Loading the page" />}>
        <Switch>
          <Route path="/" component={RepositoriesPage} />
          <Route path="/new-repository">
            <CreateRepositoryPage />
          </Route>
          <Route path="/welcome">
            <CreateRepositoryPage first />
          </Route>
          <Route path="/repositories/:slug/:tab?">{({ slug, tab }) => <RepositoryPage slug={slug} tab={tab} />}</Route>
          <Route path="/api-keys/:slug?/:tab?">{({ slug, tab }) => <ApiKeysPage slug={slug} tab={tab} />}</Route>
          <Route path="/webhooks/:slug?">{({ slug }) => <WebhooksPage slug={slug} />}</Route>
          <Route path="/usage" component={UsagePage} />
          <Route path="/audit" component={AuditPage} />
          <Route path="/members" component={MembersPage} />
          <Route path="/credentials" component={CredentialsPage} />
          <Route path="/profile" component={ProfilePage} />
          <Route path="/tenant" component={TenantPage} />
          <Route path="/proof" component={CanaryPage} />
          <Route path="/signed-in">
            <Redirect to="/" replace />
          </Route>
          <Route>
            <Page title="There is no such page">
              <Text>
                The address leads nowhere. Go to{' '}
                <Anchor component={Link} href="/" underline="always">
                  your repositories
                </Anchor>
                .
              </Text>
            </Page>
          </Route>
        </Switch>
      </Suspense>
    </PageGuard>
  );
}
