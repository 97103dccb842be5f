import { snippetsFor } from './snippets.ts';

const connection = {
  authorityUrl: 'https://acme.auth.example.com',
  repositoryUrl: 'https://acme.example.com',
  appClientId: 'app_1',
  toolClientId: 'tool_1',
  redirectUri: "https://app.example.com/it's/done\\",
};
const codeOf = (id: string, more = {}) => {
  const snippet = snippetsFor({ ...connection, ...more }).find((each) => each.id === id);
  return (snippet?.files ?? []).map((file) => file.code).join('\n');
};

describe('snippetsFor', () => {
  it.each([
    ['react', 'app_1'],
    ['javascript', 'app_1'],
    ['node', 'tool_1'],
    ['dotnet', 'tool_1'],
    ['curl', 'tool_1'],
  ])('puts the real values of the repository into %s', (id, clientId) => {
    const code = codeOf(id);
    for (const value of [connection.authorityUrl, connection.repositoryUrl, clientId]) expect(code).toContain(value);
  });

  it('keeps a redirect URI with a quote and a backslash a string', () => {
    expect(codeOf('react')).toContain(String.raw`redirectUri: 'https://app.example.com/it\'s/done\\',`);
  });

  it('allows an authority on http only when it is on http', () => {
    expect(codeOf('node')).not.toContain('allowInsecureRequests');
    expect(codeOf('node', { authorityUrl: 'http://localhost:4100/acme' })).toContain('allowInsecureRequests');
  });

  it('reads a secret from the environment and holds none', () => {
    for (const id of ['node', 'dotnet', 'curl']) expect(codeOf(id)).toContain('LATCHKEY_CLIENT_SECRET');
    for (const id of ['react', 'javascript']) expect(codeOf(id)).not.toContain('SECRET');
  });
});
