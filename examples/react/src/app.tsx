import { useAuth } from 'react-oidc-context';
import { Contents } from './contents';

/** The door: who is signed in sees the contents, anybody else the way in. */
export function App() {
  const auth = useAuth();
  if (auth.isLoading && !auth.user) return <p role="status">One moment…</p>;
  if (!auth.user) {
    return (
      <main>
        <h1>Contents of a repository</h1>
        {auth.error && <p role="alert">You are not signed in: {auth.error.message}</p>}
        <button onClick={() => void auth.signinRedirect()}>Sign in</button>
      </main>
    );
  }
  return (
    <main>
      <p>
        Signed in as {auth.user.profile.name ?? auth.user.profile.preferred_username ?? auth.user.profile.sub}{' '}
        <button onClick={() => void auth.signoutRedirect()}>Sign out</button>
      </p>
      <Contents />
    </main>
  );
}
