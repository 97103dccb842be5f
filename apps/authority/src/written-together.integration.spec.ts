import * as client from 'openid-client';
import { endAppAccess, IdentityProviders } from '@latchkey/tenancy';
import { Browser } from './testing/browser.js';
import { Customer, parameterOf, redirectUri, type Tokens } from './testing/customer.js';
import { startAuthority, type RunningAuthority } from './testing/running-authority.js';
import { beforeWriting, meeting } from './testing/strike.js';

/* What a request came to is written at its end, all of it or nothing, before anything is answered. */

let running: RunningAuthority;
let shop: Customer;
let app: client.Configuration;
let browser: Browser;

beforeAll(async () => {
  running = await startAuthority();
  shop = await Customer.open(running);
  app = await shop.discover();
});
beforeEach(async () => {
  browser = new Browser(running);
  await shop.signIn(app, {}, { browser });
});
afterAll(() => running.close());

const unavailable = () => Promise.reject(Object.assign(new Error('the primary is away'), { code: 'ECONNREFUSED' }));
const invalidGrant = { error: 'invalid_grant', status: 400 };

/** A code, and what exchanges it. */
async function code(parameters: Record<string, string> = {}): Promise<() => Promise<Tokens>> {
  const { url, finish } = await shop.request(app, parameters);
  const location = new URL((await browser.go(url)).headers.get('location') ?? '');
  expect(location.searchParams.has('code')).toBe(true);
  return () => finish(location);
}

const refresh = (tokens: Tokens) => client.refreshTokenGrant(app, tokens.refresh_token ?? '');

async function userinfo(tokens: Pick<Tokens, 'access_token'>): Promise<number> {
  const { status } = await fetch(`${shop.issuer}/connect/userinfo`, { headers: { authorization: `Bearer ${tokens.access_token}` } });
  return status;
}

/** What is stored of the repository. */
async function stored(): Promise<string> {
  const { rows } = await running.test.owner.query<{ all: string }>(
    `SELECT string_agg(md5(o::text), ' ' ORDER BY kind, id) AS all FROM oidc_records o WHERE repository_id = $1`,
    [shop.repository.id],
  );
  return rows[0]?.all ?? '';
}

describe('of two requests that have read the same and are about to write', () => {
  it.each([
    ['code', 'openid offline_access'],
    ['code without a refresh token', 'openid'],
    ['refresh token', 'openid offline_access'],
  ])('with one %s exactly one gets tokens, and the other ends what came of it', async (what, scope) => {
    const exchange = await code({ scope });
    const tokens = what === 'refresh token' ? await exchange() : undefined;
    const go = tokens ? () => refresh(tokens) : exchange;
    const results = await beforeWriting(running, meeting(2), () => Promise.allSettled([go(), go()]));
    const [won, ...others] = results.filter((result) => result.status === 'fulfilled');
    const [lost] = results.filter((result) => result.status === 'rejected');
    expect([won?.value.access_token, others]).toEqual([expect.any(String), []]);
    expect(lost?.reason).toMatchObject(invalidGrant);
    // RFC 6749 §4.1.2, RFC 9700 §4.14.2: it was replayed.
    expect(await userinfo({ access_token: won?.value.access_token ?? '' })).toBe(401);
    if (won?.value.refresh_token !== undefined) await expect(refresh(won.value as Tokens)).rejects.toMatchObject(invalidGrant);
  });
});

describe('a request whose writing fails', () => {
  it.each(['query', 'form_post'])('gets no code, by %s: 503, no redirect, no cookie, and nothing is stored', async (mode) => {
    const { url } = await shop.request(app, { response_mode: mode, scope: 'openid profile' });
    const before = await stored();
    const response = await beforeWriting(running, unavailable, () => browser.go(url));
    expect([response.status, response.headers.get('retry-after'), response.headers.get('location')]).toEqual([503, '1', null]);
    expect(response.headers.getSetCookie()).toEqual([]);
    expect(response.headers.get('content-type')).toBe('text/html; charset=utf-8');
    expect(await response.text()).toContain('The authority cannot check credentials now. Try again in a moment.');
    expect(await stored()).toBe(before);
    // And is as before when the primary is there again.
    const again = await browser.go(url);
    expect(mode === 'query' ? again.headers.get('location') : await again.text()).toMatch(/code/);
  });

  it('gets no tokens: 503, and the code and the refresh token are good afterwards', async () => {
    const exchange = await code();
    const refused = { cause: { status: 503 } };
    await expect(beforeWriting(running, unavailable, exchange)).rejects.toMatchObject(refused);
    const tokens = await exchange();
    await expect(beforeWriting(running, unavailable, () => refresh(tokens))).rejects.toMatchObject(refused);
    const renewed = await refresh(tokens);
    expect(await userinfo(renewed)).toBe(200);
  });

  it('leaves nothing for the request beside it, which writes what is its own and nothing else', async () => {
    const other = await Customer.open(running);
    const at = new Browser(running);
    const theirs = await other.discover();
    await other.signIn(theirs, {}, { browser: at });
    const before = await stored();
    const [mine, others] = [await shop.request(app, { scope: 'openid email' }), await other.request(theirs)];
    const [arrived, gate] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    // The first is about to write until the second has come to its end.
    const strike = (which: number) => {
      if (which > 0) return undefined;
      arrived.resolve();
      return gate.promise.then(unavailable);
    };
    const [failed, went] = await beforeWriting(running, strike, async () => {
      const first = browser.go(mine.url);
      await arrived.promise;
      const second = await at.go(others.url);
      gate.resolve();
      return [await first, second];
    });
    expect([failed?.status, await stored()]).toEqual([503, before]);
    const tokens = await others.finish(new URL(went?.headers.get('location') ?? ''));
    expect(tokens.claims()).toMatchObject({ sub: String(other.anna.id), iss: other.issuer });
  });
});

describe('a person who signs out while a request of theirs is about to write', () => {
  it('has no session afterwards, and the code is good for nothing', async () => {
    const { rows } = await running.test.owner.query<{ id: string }>(
      `SELECT uid AS id FROM oidc_records WHERE repository_id = $1 AND kind = 'Session'`,
      [shop.repository.id],
    );
    const end = () =>
      running.test.owner.query(`DELETE FROM oidc_records WHERE repository_id = $1 AND kind IN ('Session', 'Grant')`, [shop.repository.id]);
    expect(rows.length).toBeGreaterThan(0);
    const { url, finish } = await shop.request(app);
    const response = await beforeWriting(running, end, () => browser.go(url));
    await expect(finish(new URL(response.headers.get('location') ?? ''))).rejects.toMatchObject(invalidGrant);
    const silent = await browser.go((await shop.request(app, { prompt: 'none' })).url);
    expect(parameterOf(new URL(silent.headers.get('location') ?? ''), 'error')).toBe('login_required');
  });

  it('has none either when the request would have stored it anew, as used from elsewhere', async () => {
    const end = () =>
      running.test.owner.query(`DELETE FROM oidc_records WHERE repository_id = $1 AND kind IN ('Session', 'Grant')`, [shop.repository.id]);
    const { url } = await shop.request(app);
    const response = await beforeWriting(running, end, () => browser.go(url, undefined, { 'user-agent': 'from elsewhere' }));
    expect(parameterOf(new URL(response.headers.get('location') ?? ''), 'error')).toBe('login_required');
    const silent = await browser.go((await shop.request(app, { prompt: 'none' })).url);
    expect(parameterOf(new URL(silent.headers.get('location') ?? ''), 'error')).toBe('login_required');
  });

  it('gives an app no access again that they have just taken away', async () => {
    const tokens = await (await code())();
    const end = () =>
      endAppAccess(running.database, { ...shop.repository, tenantId: shop.tenant.id }, shop.anna.id, shop.repository.appClient.clientId, {
        requestId: 'the end',
      });
    const { url } = await shop.request(app, { claims: '{"userinfo":{"name":null}}' });
    await beforeWriting(running, end, () => browser.go(url));
    expect(await userinfo(tokens)).toBe(401);
  });

  it('gets no tokens for a code or a refresh token that ends meanwhile', async () => {
    const end = (kind: string) => () =>
      running.test.owner.query(`DELETE FROM oidc_records WHERE repository_id = $1 AND kind = $2`, [shop.repository.id, kind]);
    const exchange = await code();
    const tokens = await exchange();
    await expect(beforeWriting(running, end('RefreshToken'), () => refresh(tokens))).rejects.toMatchObject(invalidGrant);
    await expect(beforeWriting(running, end('AuthorizationCode'), await code())).rejects.toMatchObject(invalidGrant);
  });
});

describe('a person whose identity provider is disabled while a request of theirs is about to write', () => {
  it('gets no code: access_denied, and nobody has a session there', async () => {
    const providers = new IdentityProviders(running.database, running.options.encryption, running.options.authorityUrls);
    const { machine } = shop.tenant;
    const body = { id: 'github', kind: 'github', clientId: 'i', clientSecret: 's', trustsSecondFactor: false, enabled: true } as const;
    await providers.create(machine, shop.slug, { ...body, allowSignUp: false, emailDomains: [] });
    await running.test.owner.query(
      `UPDATE oidc_records SET identity_provider_id = 'github', payload = payload || '{"identityProviderId": "github"}'
       WHERE repository_id = $1 AND kind IN ('Session', 'Grant')`,
      [shop.repository.id],
    );
    const { url } = await shop.request(app);
    const disable = () => providers.update(machine, shop.slug, 'github', { enabled: false });
    const { status, headers } = await beforeWriting(running, disable, () => browser.go(url));
    const { searchParams } = new URL(headers.get('location') ?? '');
    expect([status, searchParams.get('error'), searchParams.has('code')]).toEqual([303, 'access_denied', false]);
    const { rows } = await running.test.owner.query(
      `SELECT kind FROM oidc_records WHERE repository_id = $1 AND identity_provider_id IS NOT NULL`,
      [shop.repository.id],
    );
    expect(rows).toEqual([]);
  });
});

describe('a session', () => {
  const noted = async () => {
    const { rows } = await running.test.owner.query<{ agent: string; at: Date }>(
      `SELECT user_agent AS agent, used_at AS at FROM oidc_records WHERE repository_id = $1 AND kind = 'Session' ORDER BY used_at DESC LIMIT 1`,
      [shop.repository.id],
    );
    return rows[0];
  };
  const use = async (agent: string) => {
    const { url } = await shop.request(app);
    const response = await browser.go(url, undefined, { 'user-agent': agent });
    expect(parameterOf(new URL(response.headers.get('location') ?? redirectUri), 'code')).toBeTruthy();
    return noted();
  };

  it('notes that it is used once a minute, and at once when that is from elsewhere', async () => {
    const first = await use('one');
    expect(await use('one')).toEqual(first);
    const second = await use('two');
    expect([second?.agent, Number(second?.at) > Number(first?.at)]).toEqual(['two', true]);
    await running.test.owner.query(`UPDATE oidc_records SET used_at = used_at - interval '61 seconds' WHERE kind = 'Session'`);
    const aged = await noted();
    expect(Number((await use('two'))?.at)).toBeGreaterThan(Number(aged?.at));
  });
});
