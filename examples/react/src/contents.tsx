import { useEffect, useEffectEvent, useState } from 'react';
import { useAuth, type AuthContextProps } from 'react-oidc-context';
import { latchkey } from './latchkey';

interface Content {
  Id: number;
  Name: string;
  DisplayName: string | null;
  Type: string;
}

/**
 * Reads what is right below a path. A token that is refused, because it was cut off before its time, is replaced once; whoever gets
 * no other is no longer signed in.
 */
async function readBelow(path: string, auth: AuthContextProps): Promise<Content[]> {
  const address = `${latchkey.repositoryUrl}/odata.svc${path}?metadata=no&$select=Id,Name,DisplayName,Type&$orderby=Name`;
  const send = (token = '') => fetch(address, { headers: { Authorization: `Bearer ${token}` } });
  let response = await send(auth.user?.access_token);
  if (response.status === 401) {
    const renewed = await auth.signinSilent();
    if (!renewed) await auth.removeUser();
    response = await send(renewed?.access_token);
  }
  if (!response.ok) throw new Error(`The repository answered ${response.status}`);
  const { d } = (await response.json()) as { d: { results: Content[] } };
  return d.results;
}

/** The content of the repository, a folder at a time. */
export function Contents() {
  const [path, setPath] = useState('/Root/Content');
  return (
    <>
      <h1>{path}</h1>
      {path !== '/Root/Content' && <button onClick={() => setPath(path.slice(0, path.lastIndexOf('/')))}>Up</button>}
      <Folder key={path} path={path} open={(name) => setPath(`${path}/${name}`)} />
    </>
  );
}

/** What is in a folder; a press on a name goes into it. */
function Folder({ path, open }: { path: string; open: (name: string) => void }) {
  const auth = useAuth();
  const [contents, setContents] = useState<Content[]>();
  const [failure, setFailure] = useState<string>();
  // With the token of the moment: that there is another one is no reason to read again.
  const read = useEffectEvent(() => readBelow(path, auth));
  useEffect(() => {
    read().then(setContents, (error: Error) => setFailure(error.message));
  }, []);

  if (failure) return <p role="alert">{failure}</p>;
  if (!contents) return <p role="status">Reading…</p>;
  if (contents.length === 0) return <p>Nothing is here yet.</p>;
  return (
    <ul>
      {contents.map(({ Id, Name, DisplayName, Type }) => (
        <li key={Id}>
          <button onClick={() => open(Name)}>{DisplayName || Name}</button> {Type}
        </li>
      ))}
    </ul>
  );
}
