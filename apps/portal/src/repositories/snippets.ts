/** What a repository's configuration is made of. */
export interface Connection {
  authorityUrl: string;
  repositoryUrl: string;
  appClientId: string;
  toolClientId: string;
  /** Where the app is; its own address while it is being developed, if none is known. */
  redirectUri: string;
}

export interface Snippet {
  id: 'react' | 'javascript' | 'node' | 'dotnet' | 'curl';
  title: string;
  /** What it is, and what to install before. */
  about: string;
  files: { name: string; code: string }[];
}

/** Where Vite serves an app that is being developed. */
export const developmentRedirectUri = 'http://localhost:5173/';

/** Configuration that works as it stands, with a repository's real values. Secrets are read from the environment. */
export function snippetsFor(connection: Connection): Snippet[] {
  return [
    {
      id: 'react',
      title: 'React',
      about: 'People sign in with their own user name and password. Install react-oidc-context and oidc-client-ts.',
      files: [
        { name: 'src/latchkey.ts', code: reactSettings(connection) },
        { name: 'src/main.tsx', code: react },
      ],
    },
    {
      id: 'javascript',
      title: 'JavaScript',
      about: 'People sign in with their own user name and password, without a framework. Install oidc-client-ts.',
      files: [{ name: 'src/main.js', code: javascript(connection) }],
    },
    {
      id: 'node',
      title: 'Node',
      about: 'A tool with a secret. Install openid-client, and set LATCHKEY_CLIENT_SECRET.',
      files: [{ name: 'tool.mjs', code: node(connection) }],
    },
    {
      id: 'dotnet',
      title: '.NET',
      about: 'A tool with a secret, on .NET 8 or newer, without any package. Set LATCHKEY_CLIENT_SECRET.',
      files: [
        { name: 'appsettings.json', code: appSettings(connection) },
        { name: 'Program.cs', code: program },
      ],
    },
    {
      id: 'curl',
      title: 'curl',
      about: 'A tool with a secret, in a POSIX shell. Set LATCHKEY_CLIENT_SECRET.',
      files: [{ name: 'tool.sh', code: curl(connection) }],
    },
  ];
}

/** A string literal of JavaScript. */
const quoted = (text: string) => `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`;

const reactSettings = ({ authorityUrl, repositoryUrl, appClientId, redirectUri }: Connection) => `export const latchkey = {
  authority: ${quoted(authorityUrl)},
  clientId: ${quoted(appClientId)},
  redirectUri: ${quoted(redirectUri)},
  repositoryUrl: ${quoted(repositoryUrl)},
};
`;

const react = `import { StrictMode, useEffect, useState } from 'react';
import { createRoot } from 'react-dom/client';
import { InMemoryWebStorage, WebStorageStateStore } from 'oidc-client-ts';
import { AuthProvider, useAuth } from 'react-oidc-context';
import { latchkey } from './latchkey';

const settings = {
  authority: latchkey.authority,
  client_id: latchkey.clientId,
  redirect_uri: latchkey.redirectUri,
  scope: 'openid profile email offline_access sensenet',
  // In memory: a store would be copied into a tab that is duplicated, and a refresh token that two tabs use looks stolen.
  userStore: new WebStorageStateStore({ store: new InMemoryWebStorage() }),
  onSigninCallback: () => window.history.replaceState({}, '', window.location.pathname),
};

function Contents({ token }: { token: string }) {
  const [names, setNames] = useState<string[]>();
  useEffect(() => {
    fetch(\`\${latchkey.repositoryUrl}/odata.svc/Root/Content?metadata=no\`, { headers: { Authorization: \`Bearer \${token}\` } })
      .then((response) => response.json())
      .then((body: { d: { results: { Name: string }[] } }) => setNames(body.d.results.map((content) => content.Name)));
  }, [token]);
  return <p>{names ? \`Content: \${names.join(', ') || 'nothing yet'}\` : 'Reading…'}</p>;
}

function App() {
  const auth = useAuth();
  if (auth.isLoading && !auth.user) return <p>One moment…</p>;
  if (auth.error) return <p>Signing in failed: {auth.error.message}</p>;
  if (!auth.user) return <button onClick={() => auth.signinRedirect()}>Sign in</button>;
  return (
    <>
      <p>Signed in as {auth.user.profile.name ?? auth.user.profile.preferred_username}</p>
      <Contents token={auth.user.access_token} />
    </>
  );
}

createRoot(document.getElementById('root')!).render(
  <StrictMode>
    <AuthProvider {...settings}>
      <App />
    </AuthProvider>
  </StrictMode>,
);
`;

const javascript = ({
  authorityUrl,
  repositoryUrl,
  appClientId,
  redirectUri,
}: Connection) => `import { InMemoryWebStorage, UserManager, WebStorageStateStore } from 'oidc-client-ts';

const users = new UserManager({
  authority: ${quoted(authorityUrl)},
  client_id: ${quoted(appClientId)},
  redirect_uri: ${quoted(redirectUri)},
  scope: 'openid profile email offline_access sensenet',
  // In memory: a store would be copied into a tab that is duplicated, and a refresh token that two tabs use looks stolen.
  userStore: new WebStorageStateStore({ store: new InMemoryWebStorage() }),
});

if (!/[?&](code|error)=/.test(window.location.search)) {
  await users.signinRedirect();
} else {
  const user = await users.signinRedirectCallback();
  window.history.replaceState({}, '', window.location.pathname);
  const response = await fetch(${quoted(`${repositoryUrl}/odata.svc/Root/Content?metadata=no`)}, {
    headers: { Authorization: \`Bearer \${user.access_token}\` },
  });
  if (!response.ok) throw new Error(\`\${response.status} \${await response.text()}\`);
  const { d } = await response.json();
  const names = d.results.map(({ Name }) => Name).join(', ') || 'nothing yet';
  document.body.textContent = \`Signed in as \${user.profile.name ?? user.profile.preferred_username}. Content: \${names}\`;
}
`;

const node = ({ authorityUrl, repositoryUrl, toolClientId }: Connection) => {
  const plain = authorityUrl.startsWith('http:');
  return `import * as client from 'openid-client';

const repositoryUrl = ${quoted(repositoryUrl)};
const config = await client.discovery(
  new URL(${quoted(authorityUrl)}),
  ${quoted(toolClientId)},
  process.env.LATCHKEY_CLIENT_SECRET,${
    plain
      ? `
  undefined,
  { execute: [client.allowInsecureRequests] }, // the authority is on http while you develop`
      : ''
  }
);
const { access_token } = await client.clientCredentialsGrant(config, { scope: 'sensenet' });

const response = await fetch(\`\${repositoryUrl}/odata.svc/Root/Content?metadata=no\`, {
  headers: { authorization: \`Bearer \${access_token}\` },
});
if (!response.ok) throw new Error(\`\${response.status} \${await response.text()}\`);
console.log(await response.json());
`;
};

const appSettings = ({ authorityUrl, repositoryUrl, appClientId, toolClientId }: Connection) =>
  `${JSON.stringify({ Latchkey: { Authority: authorityUrl, RepositoryUrl: repositoryUrl, AppClientId: appClientId, ToolClientId: toolClientId } }, null, 2)}\n`;

const program = `using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Text.Json;

var settings = JsonDocument.Parse(File.ReadAllText("appsettings.json")).RootElement.GetProperty("Latchkey");
string Setting(string name) => settings.GetProperty(name).GetString()!;
var secret = Environment.GetEnvironmentVariable("LATCHKEY_CLIENT_SECRET")
    ?? throw new InvalidOperationException("Set LATCHKEY_CLIENT_SECRET.");

using var http = new HttpClient();
var discovery = await http.GetFromJsonAsync<JsonElement>($"{Setting("Authority")}/.well-known/openid-configuration");
var tokenAnswer = await http.PostAsync(discovery.GetProperty("token_endpoint").GetString(), new FormUrlEncodedContent(new Dictionary<string, string>
{
    ["grant_type"] = "client_credentials",
    ["client_id"] = Setting("ToolClientId"),
    ["client_secret"] = secret,
    ["scope"] = "sensenet",
}));
tokenAnswer.EnsureSuccessStatusCode();
var token = (await tokenAnswer.Content.ReadFromJsonAsync<JsonElement>()).GetProperty("access_token").GetString();

http.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", token);
Console.WriteLine(await http.GetStringAsync($"{Setting("RepositoryUrl")}/odata.svc/Root/Content?metadata=no"));
`;

const curl = ({ authorityUrl, repositoryUrl, toolClientId }: Connection) => `TOKEN=$(curl -fsS '${authorityUrl}/connect/token' \\
  -u "${toolClientId}:$LATCHKEY_CLIENT_SECRET" \\
  -d grant_type=client_credentials -d scope=sensenet \\
  | sed -E 's/.*"access_token": ?"([^"]+)".*/\\1/')

curl -fsS '${repositoryUrl}/odata.svc/Root/Content?metadata=no' -H "Authorization: Bearer $TOKEN"
`;
