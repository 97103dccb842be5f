// A tool that calls a repository with a client ID and a secret, and lives on when the secret is regenerated.
// It needs nothing but Node 20 or newer. See README.md for what it reads from the environment.
import { readFile } from 'node:fs/promises';

function setting(name) {
  const value = process.env[name];
  if (value !== undefined) return value;
  console.error(`Set ${name}.`);
  process.exit(1);
}

const authorityUrl = setting('LATCHKEY_AUTHORITY_URL');
const repositoryUrl = setting('LATCHKEY_REPOSITORY_URL');
const clientId = setting('LATCHKEY_CLIENT_ID');
const secretFile = setting('LATCHKEY_CLIENT_SECRET_FILE');
const consumer = process.env.LATCHKEY_CONSUMER ?? 'node-tool example';
const everySeconds = Number(process.env.EVERY_SECONDS ?? 60);

const discovery = await (await fetch(`${authorityUrl}/.well-known/openid-configuration`)).json();

/** The secret is read anew for every token: whoever regenerates it only has to replace the file. */
async function getToken() {
  const secret = (await readFile(secretFile, 'utf8')).trim();
  const response = await fetch(discovery.token_endpoint, {
    method: 'POST',
    headers: {
      authorization: `Basic ${btoa(`${clientId}:${secret}`)}`,
      // By this name the portal shows who still uses an old secret.
      'latchkey-consumer': consumer,
    },
    body: new URLSearchParams({ grant_type: 'client_credentials', scope: 'sensenet' }),
  });
  const answer = await response.json();
  if (!response.ok) throw new Error(`no token: ${answer.error_description ?? answer.error}`);
  return answer.access_token;
}

let token;

/** Calls the repository. A token that is refused, because it has run out or its secret was cut off, is replaced once. */
async function call(path) {
  token ??= await getToken();
  const send = () => fetch(`${repositoryUrl}${path}`, { headers: { authorization: `Bearer ${token}`, 'latchkey-consumer': consumer } });
  let response = await send();
  if (response.status === 401) {
    token = await getToken();
    response = await send();
  }
  if (!response.ok) throw new Error(`${path} answered ${response.status}`);
  return response.json();
}

for (;;) {
  try {
    const { d } = await call('/odata.svc/Root/Content?metadata=no');
    console.log(`read ${d.results.length} contents`);
  } catch (error) {
    // The file may be a moment behind the regeneration: the next round reads it again.
    token = undefined;
    console.error(error.message);
  }
  await new Promise((resolve) => setTimeout(resolve, everySeconds * 1000));
}
