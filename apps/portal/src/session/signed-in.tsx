import { lazy, Suspense, useEffect, useMemo, useState, useSyncExternalStore, type ReactNode } from 'react';
import { Anchor, Button, Center, Group, Loader, Stack, Text, Title } from '@mantine/core';
import { useQueryClient } from '@tanstack/react-query';
import type { User, UserManager } from 'oidc-client-ts';
import { AuthProvider, useAuth } from 'react-oidc-context';
import { useLocation } from 'wouter';
import { ApiContext, createApi } from '../api/api.ts';
import { toProblem } from '../api/problem.ts';
import { useConsole } from '../api/queries.ts';
import { ProblemAlert } from '../controls/problem-alert.tsx';
import { chosenTenant } from './chosen-tenant.ts';
import { SessionEnd } from './session-end.ts';
import { createUserManager, signedInForAnother, signedInHere, tokensOf } from './user-manager.ts';

const SessionEnded = lazy(async () => ({ default: (await import('./session-ended.tsx')).SessionEnded }));

/** Shows its children to a member who is signed in, with a client of the API; to anyone else, the way in. */
export function SignedIn({ children }: { children: ReactNode }) {
  const found = useConsole();
  const manager = useMemo(() => found.data && createUserManager(found.data), [found.data]);
  const [, navigate] = useLocation();
  const [isForAnother] = useState(signedInForAnother);
  if (found.error) {
    return (
      <Alone>
        <ProblemAlert problem={toProblem(found.error)} retry={() => void found.refetch()} />
      </Alone>
    );
  }
  if (!found.data || !manager) return <Waiting words="Starting" />;
  if (isForAnother) return <SignedInForAnother manager={manager} />;
  const onSigninCallback = (user: User | undefined) => {
    if (user) signedInHere.set(user.profile.sub);
    navigate((user?.state as { returnTo?: string } | undefined)?.returnTo ?? '/', { replace: true });
  };
  return (
    <AuthProvider userManager={manager} onSigninCallback={onSigninCallback}>
      <Door manager={manager} signUpUrl={found.data.signUpUrl}>
        {children}
      </Door>
    </AuthProvider>
  );
}

/** Where whoever has just signed up arrives: signed in as nobody else than who that was. */
const arrivalPath = '/welcome';

function Door({ manager, signUpUrl, children }: { manager: UserManager; signUpUrl: string | null; children: ReactNode }) {
  const auth = useAuth();
  const queries = useQueryClient();
  const end = useMemo(() => new SessionEnd(manager), [manager]);
  const ended = useSyncExternalStore(end.subscribe, () => end.state);
  const api = useMemo(() => createApi(tokensOf(manager, end)), [manager, end]);
  useEffect(() => {
    // What could not be read while nobody was signed in can be read now.
    if (!ended) void queries.refetchQueries({ predicate: ({ state }) => state.status === 'error' });
  }, [ended, queries]);
  const sub = auth.user?.profile.sub;
  useEffect(() => {
    if (sub === undefined) return undefined;
    return signedInHere.onOther(sub, () => {
      chosenTenant.forget();
      void manager.removeUser();
    });
  }, [manager, sub]);

  const signIn = () => manager.signinRedirect({ state: { returnTo: returnPath() } });
  const arrives = window.location.pathname === arrivalPath;
  const goesByItself = !auth.user && !auth.isLoading && !auth.error && (signedInHere.get() || arrives);
  useEffect(() => {
    if (goesByItself) void auth.signinRedirect({ state: { returnTo: returnPath() }, ...(arrives ? { prompt: 'login' } : {}) });
    // Once for each time that nobody is signed in.
    // eslint-disable-next-line react-hooks/exhaustive-deps
  }, [goesByItself]);

  if (auth.user) {
    return (
      <ApiContext value={api}>
        {children}
        <Suspense>{ended && <SessionEnded end={end} onLeave={() => void signIn()} />}</Suspense>
      </ApiContext>
    );
  }
  if (auth.isLoading || goesByItself) return <Waiting words="Signing in" />;
  const onSignIn = () => void auth.signinRedirect({ state: { returnTo: returnPath() } });
  return <WayIn failure={auth.error?.message} signUpUrl={signUpUrl} onSignIn={onSignIn} />;
}

/** Where to go on after signing in: the page that was asked for. */
function returnPath(): string {
  const { pathname, search } = window.location;
  return pathname === '/signed-in' ? '/' : pathname + search;
}

/** The window in which a member signed in again: it tells the page that waits for it, and closes. */
function SignedInForAnother({ manager }: { manager: UserManager }) {
  useEffect(() => void manager.signinPopupCallback(), [manager]);
  return (
    <Alone>
      <Text role="status">You are signed in. Close this window, and go on in the other.</Text>
      <Anchor href="/">Or go to the portal here</Anchor>
    </Alone>
  );
}

function WayIn({ failure, signUpUrl, onSignIn }: { failure: string | undefined; signUpUrl: string | null; onSignIn: () => void }) {
  return (
    <Alone>
      <title>Latchkey</title>
      <img src="/favicon.svg" alt="" width={48} height={48} />
      <Title order={1}>Latchkey</Title>
      <Text size="lg">Content repositories, each with its own authority, its own users and its own keys.</Text>
      {failure !== undefined && (
        <Text role="alert" c="var(--mantine-color-error)">
          The authority could not be used: {failure}
        </Text>
      )}
      <Group>
        <Button size="md" onClick={onSignIn}>
          Sign in
        </Button>
        {signUpUrl !== null && (
          <Button size="md" variant="default" component="a" href={signUpUrl}>
            Create an account
          </Button>
        )}
      </Group>
      <Text c="dimmed" size="sm">
        {signUpUrl === null
          ? 'New here? Open the invitation link that you were given. The first start of an installation prints one for its owner.'
          : 'Were you invited? Then open the link that you were given.'}
      </Text>
    </Alone>
  );
}

/** A page with nothing around it. */
function Alone({ children }: { children: ReactNode }) {
  return (
    <Center component="main" mih="100dvh" p="md">
      <Stack gap="md" maw={420} align="flex-start">
        {children}
      </Stack>
    </Center>
  );
}

/** Stands where a page will be. */
export function Waiting({ words }: { words: string }) {
  return (
    <Center mih="60dvh" role="status" aria-label={`${words}…`}>
      <Loader />
    </Center>
  );
}
