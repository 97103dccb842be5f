import * as client from 'openid-client';
import { Browser } from './testing/browser.js';
import { Customer, parameterOf, type Tokens } from './testing/customer.js';
import { startAuthority, type RunningAuthority } from './testing/running-authority.js';

/* How long what the authority gives out is good for, and what ends it earlier. */

let running: RunningAuthority;
let customer: Customer;
let app: client.Configuration;

beforeAll(async () => {
  running = await startAuthority();
  customer = await Customer.open(running);
  app = await customer.discover();
});
afterAll(() => running.close());

const invalidGrant = { error: 'invalid_grant' };
const refresh = (tokens: Pick<Tokens, 'refresh_token'>) => client.refreshTokenGrant(app, tokens.refresh_token ?? '');
const userinfo = (tokens: Tokens) => client.fetchUserInfo(app, tokens.access_token, client.skipSubjectCheck);
/** Lets the clock of one repository's records run on. */
const later = (seconds: number) =>
  running.test.owner.query(
    `UPDATE oidc_records SET expires_at = expires_at - make_interval(secs => $2), payload = payload
       || CASE WHEN payload ? 'exp' THEN jsonb_build_object('exp', (payload->>'exp')::int - $2) ELSE '{}' END
       || CASE WHEN payload ? 'iat' THEN jsonb_build_object('iat', (payload->>'iat')::int - $2) ELSE '{}' END
       || CASE WHEN payload ? 'iiat' THEN jsonb_build_object('iiat', (payload->>'iiat')::int - $2) ELSE '{}' END
       || CASE WHEN payload ? 'loginTs' THEN jsonb_build_object('loginTs', (payload->>'loginTs')::int - $2) ELSE '{}' END
     WHERE repository_id = $1`,
    [customer.repository.id, seconds],
  );

describe('the settings of a repository', () => {
  it('say how long tokens of people and of tools live', async () => {
    await customer.repositories.update(customer.tenant.machine, customer.slug, { accessTokenSeconds: 90, toolTokenSeconds: 120 });
    expect((await customer.signIn(app)).expires_in).toBe(90);
    expect((await client.clientCredentialsGrant(await customer.discoverTool())).expires_in).toBe(120);
  });

  it('say how long somebody can go on with refresh tokens, however often they are used', async () => {
    await customer.repositories.update(customer.tenant.machine, customer.slug, { refreshTokenSeconds: 1000 });
    let tokens: Pick<Tokens, 'refresh_token'> = await customer.signIn(app);
    for (let i = 0; i < 3; i++) {
      await later(300);
      tokens = await refresh(tokens);
    }
    await later(101);
    await expect(refresh(tokens)).rejects.toMatchObject(invalidGrant);
  });

  it('say when somebody has to sign in again, however often the session is used', async () => {
    await customer.repositories.update(customer.tenant.machine, customer.slug, { sessionSeconds: 1000 });
    const browser = new Browser(running);
    await customer.signIn(app, {}, { browser });
    for (let i = 0; i < 3; i++) {
      await later(300);
      await customer.signIn(app, { prompt: 'none' }, { browser });
    }
    await later(101);
    const { url } = await customer.request(app, { prompt: 'none' });
    const { url: back } = await browser.follow(url, (at) => at.href.startsWith(customer.issuer));
    expect(parameterOf(back, 'error')).toBe('login_required');
  });

  it('count from the moment of signing in anew in the same browser too', async () => {
    await customer.repositories.update(customer.tenant.machine, customer.slug, { sessionSeconds: 1000, refreshTokenSeconds: 1000 });
    const browser = new Browser(running);
    await customer.signIn(app, {}, { browser });
    await later(900);
    let tokens: Pick<Tokens, 'refresh_token'> = await customer.signIn(app, { prompt: 'login' }, { browser });
    await later(600);
    tokens = await refresh(tokens);
    await later(401);
    await expect(refresh(tokens)).rejects.toMatchObject(invalidGrant);
  });

  it('that are made shorter hold for what was given out before, at its next use', async () => {
    await customer.repositories.update(customer.tenant.machine, customer.slug, { refreshTokenSeconds: 86_400 });
    const tokens = await customer.signIn(app);
    await customer.repositories.update(customer.tenant.machine, customer.slug, { refreshTokenSeconds: 300 });
    await later(200);
    const renewed = await refresh(tokens);
    await later(101);
    await expect(refresh(renewed)).rejects.toMatchObject(invalidGrant);
  });
});

describe('a refresh token', () => {
  beforeEach(async () => {
    await customer.repositories.update(customer.tenant.machine, customer.slug, { refreshTokenSeconds: 86_400, sessionSeconds: 86_400 });
  });

  it('that is used again ends everything that came of the sign-in (RFC 9700 §4.14.2)', async () => {
    const tokens = await customer.signIn(app);
    const renewed = await refresh(tokens);
    await expect(refresh(tokens)).rejects.toMatchObject(invalidGrant);
    await expect(refresh(renewed)).rejects.toMatchObject(invalidGrant);
    for (const each of [tokens, renewed]) await expect(userinfo(each as Tokens)).rejects.toMatchObject({ status: 401 });
  });

  it('that is used twice at once is good for one of them at most', async () => {
    const tokens = await customer.signIn(app);
    const results = await Promise.allSettled(Array.from({ length: 6 }, () => refresh(tokens)));
    expect(results.filter(({ status }) => status === 'fulfilled').length).toBeLessThanOrEqual(1);
    // It was replayed, whoever was first; so nothing of the sign-in is left.
    await expect(userinfo(tokens)).rejects.toMatchObject({ status: 401 });
    for (const result of results) if (result.status === 'rejected') expect(result.reason).toMatchObject(invalidGrant);
  });

  it('is nothing to another client and nothing to another repository', async () => {
    const tokens = await customer.signIn(app);
    const other = await Customer.open(running);
    const elsewhere = await other.discover();
    await expect(client.refreshTokenGrant(elsewhere, tokens.refresh_token ?? '')).rejects.toMatchObject(invalidGrant);
    expect((await refresh(tokens)).access_token).toBeDefined();
  });

  it('that is given back takes the sign-in with it (RFC 7009 §2.1)', async () => {
    const tokens = await customer.signIn(app);
    await client.tokenRevocation(app, tokens.refresh_token ?? '');
    await expect(refresh(tokens)).rejects.toMatchObject(invalidGrant);
    await expect(userinfo(tokens)).rejects.toMatchObject({ status: 401 });
  });
});

describe('a code', () => {
  it('that is used again ends what it was used for (RFC 6749 §4.1.2)', async () => {
    const { url, finish } = await customer.request(app);
    const { url: back } = await customer.visit(new Browser(running), url);
    const tokens = await finish(back);
    await userinfo(tokens);
    await expect(finish(back)).rejects.toMatchObject(invalidGrant);
    await expect(userinfo(tokens)).rejects.toMatchObject({ status: 401 });
    await expect(refresh(tokens)).rejects.toMatchObject(invalidGrant);
  });

  it('that is used twice at once is good for one of them at most', async () => {
    const { url, finish } = await customer.request(app);
    const { url: back } = await customer.visit(new Browser(running), url);
    const results = await Promise.allSettled(Array.from({ length: 6 }, () => finish(back)));
    expect(results.filter(({ status }) => status === 'fulfilled').length).toBeLessThanOrEqual(1);
    for (const result of results) if (result.status === 'rejected') expect(result.reason).toMatchObject(invalidGrant);
  });

  it('is good for a minute', async () => {
    const { url, finish } = await customer.request(app);
    const { url: back } = await customer.visit(new Browser(running), url);
    await later(61);
    await expect(finish(back)).rejects.toMatchObject(invalidGrant);
  });
});
