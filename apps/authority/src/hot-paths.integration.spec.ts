import * as client from 'openid-client';
import { costOf, documentedCost } from '@latchkey/database/testing';
import { Browser } from './testing/browser.js';
import { Customer, type Tokens } from './testing/customer.js';
import { fetchToken, startAuthority, type RunningAuthority } from './testing/running-authority.js';

let running: RunningAuthority;
let shop: Customer;
let app: client.Configuration;
let tool: client.Configuration;
let tokens: Tokens;

beforeAll(async () => {
  running = await startAuthority();
  shop = await Customer.open(running);
  app = await shop.discover();
  tool = await shop.discoverTool();
  tokens = await shop.signIn(app);
});
afterAll(() => running.close());

const plainToken = async (of = shop) => {
  const { toolClient, authorityUrl } = of.repository;
  expect((await fetchToken(`${authorityUrl}/connect/token`, toolClient.clientId, toolClient.secret.value)).status).toBe(200);
};
const refresh = async () => {
  tokens = { ...tokens, ...(await client.refreshTokenGrant(app, tokens.refresh_token!)) };
};

/** Of one that has been walked before. */
async function expectCost(path: string, work: () => Promise<unknown>): Promise<void> {
  await work();
  expect({ path, ...(await costOf(work)) }).toEqual({ path, ...(await documentedCost(path)) });
}

describe('what a request at the authority costs the database is what docs/hot-paths.md says', () => {
  it('of tokens for tools', async () => {
    await expectCost('token for a tool, express lane', plainToken);
    const other = await Customer.open(running);
    const path = 'first token of a repository in a process';
    expect({ path, ...(await costOf(() => plainToken(other))) }).toEqual({ path, ...(await documentedCost(path)) });
  });

  it('of tokens for tools that the express lane leaves alone', async () => {
    const { toolClient, authorityUrl } = shop.repository;
    await expectCost('token for a tool, oidc-provider', async () => {
      const answer = await fetch(`${authorityUrl}/connect/token`, {
        method: 'POST',
        // Nothing hangs on it, and the lane does not know it.
        body: new URLSearchParams({
          grant_type: 'client_credentials',
          client_id: toolClient.clientId,
          client_secret: toolClient.secret.value,
          unknown: 'parameter',
        }),
      });
      expect(answer.status).toBe(200);
      await answer.text();
    });
  });

  it('of what a person signed in for', async () => {
    const browser = new Browser(running);
    await shop.signIn(app, {}, { browser });
    await expectCost('code for a person with a session', async () => {
      const { url } = await shop.request(app);
      expect((await browser.go(url)).headers.get('location')).toContain('code=');
    });
    const codes: (() => Promise<Tokens>)[] = [];
    for (let i = 0; i < 2; i++) {
      const { url, finish } = await shop.request(app);
      const location = (await browser.go(url)).headers.get('location') ?? '';
      codes.push(() => finish(new URL(location)));
    }
    await expectCost('tokens for a code', () => codes.pop()!());
    await expectCost('refresh', refresh);
    await expectCost('userinfo', () => client.fetchUserInfo(app, tokens.access_token, String(shop.anna.id)));
  });

  it('of introspection', async () => {
    const { access_token: token } = await client.clientCredentialsGrant(tool);
    await expectCost('introspection', async () => expect((await client.tokenIntrospection(tool, token)).active).toBe(true));
  });

  it('of public documents', async () => {
    for (const [path, at] of [
      ['discovery', '.well-known/openid-configuration'],
      ['keys', '.well-known/jwks'],
    ] as const)
      await expectCost(path, async () => {
        const answer = await fetch(`${shop.issuer}/${at}`);
        expect(answer.status).toBe(200);
        await answer.text();
      });
  });
});
