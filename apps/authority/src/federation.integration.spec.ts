import { decodeJwt } from 'jose';
import * as client from 'openid-client';
import { memberActor } from '@latchkey/access';
import { tenantPermissions, type CreateIdentityProviderBody } from '@latchkey/contracts';
import { newId } from '@latchkey/database';
import { IdentityProviders, MemberCredentials } from '@latchkey/tenancy';
import { Browser } from './testing/browser.js';
import { Customer } from './testing/customer.js';
import { FakeGitHub, OutsideOpenId } from './testing/outside.js';
import { startAuthority, type RunningAuthority } from './testing/running-authority.js';

let running: RunningAuthority;
let customer: Customer;
let providers: IdentityProviders;
let outside: OutsideOpenId;
let github: FakeGitHub;
let people = 0;

const password = 'correct horse battery staple';

beforeAll(async () => {
  running = await startAuthority();
  providers = new IdentityProviders(running.database, running.options.encryption, running.options.authorityUrls);
  const slugs = Array.from({ length: 40 }, (_, index) => `customer-${index + 1}`);
  const redirectUris = [...slugs, 'console'].map((slug) => `${running.issuerOf(slug)}/federation/callback/acme`);
  outside = await OutsideOpenId.start(redirectUris);
  github = await FakeGitHub.start();
});
beforeEach(async () => {
  customer = await Customer.open(running);
  outside.person = somebody();
});
afterAll(async () => {
  outside.close();
  github.close();
  await running.close();
});

/** Somebody new at the provider, with an address that it has verified. */
const somebody = () => {
  const sub = `outside-${++people}`;
  return { sub, email: `${sub}@example.com`, email_verified: true, name: `Somebody ${people}` };
};

const addOpenId = (more: Partial<CreateIdentityProviderBody> = {}) =>
  add({
    id: 'acme',
    kind: 'oidc',
    name: 'Acme',
    issuer: outside.url,
    clientId: outside.clientId,
    clientSecret: outside.clientSecret,
    ...more,
  });
const addGitHub = (more: Partial<CreateIdentityProviderBody> = {}) =>
  add({ id: 'github', kind: 'github', issuer: github.url, clientId: github.clientId, clientSecret: github.clientSecret, ...more });
const add = (body: Partial<CreateIdentityProviderBody>) =>
  providers.create(customer.tenant.machine, customer.slug, {
    allowSignUp: false,
    emailDomains: [],
    trustsSecondFactor: false,
    enabled: true,
    ...body,
  } as CreateIdentityProviderBody);

const stays = (at: URL) => at.href.startsWith(`${customer.issuer}/`);

/** A browser at the sign-in page of an app's request, and what takes up the app's answer. */
async function openSignIn(parameters: Record<string, string> = {}) {
  const { url, finish } = await customer.request(await customer.discover(), parameters);
  const browser = new Browser(running);
  const arrived = await browser.follow(url, stays);
  return { browser, finish, page: arrived.url, html: (await arrived.page?.text()) ?? '' };
}

type Answerer = { answer: (running: RunningAuthority, url: URL) => Promise<URL> };

/** Presses a provider's button. @returns where the provider sends the browser back to. */
async function press(browser: Browser, page: URL, id = 'acme', at: Answerer = outside) {
  const sent = await browser.go(`${page.href}/federation/${id}`);
  const answer = await at.answer(running, new URL(sent.headers.get('location') ?? ''));
  // A page of ours sends the browser on.
  return new URL((await browser.go(answer)).headers.get('location') ?? '');
}

/** The whole way with a provider. @returns tokens, or the page it ended at. */
async function signInWith(id = 'acme', at: Answerer = outside) {
  const { browser, finish, page } = await openSignIn();
  const arrived = await browser.follow(await press(browser, page, id, at), stays);
  if (!arrived.page) return { browser, tokens: await finish(arrived.url) };
  return { browser, finish, url: arrived.url, status: arrived.page.status, html: await arrived.page.text() };
}

const subjectOf = (result: Awaited<ReturnType<typeof signInWith>>) => {
  if (!result.tokens) throw new Error(`ended at ${result.status ?? 0}: ${result.html ?? ''}`);
  return decodeJwt(result.tokens.access_token).sub;
};

const userOf = async (sub: string | undefined) => {
  const { rows } = await running.test.owner.query<{ login_name: string; email: string; password_hash: string | null }>(
    'SELECT login_name, email, password_hash FROM repository_users WHERE repository_id = $1 AND id = $2',
    [customer.repository.id, sub],
  );
  return rows[0];
};

describe('signing in with an OpenID provider', () => {
  it('makes an account at the first time where that is allowed, and finds it again whatever becomes of the address', async () => {
    await addOpenId({ allowSignUp: true });
    const first = subjectOf(await signInWith());
    expect(await userOf(first)).toEqual({ login_name: outside.person.email, email: outside.person.email, password_hash: null });
    outside.person = { ...outside.person, email: 'moved@example.com' };
    expect(subjectOf(await signInWith())).toBe(first);
    outside.person = { ...somebody(), email: 'moved@example.com' };
    expect(subjectOf(await signInWith())).not.toBe(first);
  });

  it('shows a button for each enabled provider, and none of another repository', async () => {
    await addOpenId();
    await addGitHub({ enabled: false });
    const { html } = await openSignIn();
    expect(html).toContain('Sign in with Acme');
    expect(html).not.toContain('GitHub');
    customer = await Customer.open(running);
    expect((await openSignIn()).html).not.toContain('class="others"');
  });

  it('lets in nobody who is unknown here, unless sign-up is allowed', async () => {
    await addOpenId();
    expect(await signInWith()).toMatchObject({ status: 403, html: expect.stringContaining('have no account here') as string });
  });

  it('makes no account for an address outside of the domains that were named', async () => {
    await addOpenId({ allowSignUp: true, emailDomains: ['example.org'] });
    for (const email of ['eve@example.com', 'eve@example.org.evil.com', 'eve@sub.example.org', '"eve@example.org"@evil.com']) {
      outside.person = { ...somebody(), email };
      expect([email, (await signInWith()).status]).toEqual([email, 403]);
    }
    outside.person = { ...somebody(), email: 'adam@EXAMPLE.org' };
    subjectOf(await signInWith());
  });

  it.each([
    ['one that it has not verified', { email_verified: false }],
    ['one of which it does not say', { email_verified: undefined }],
    ['none', { email: undefined }],
  ])('takes no account, and makes none, by an address that is %s', async (_what, less) => {
    await addOpenId({ allowSignUp: true });
    for (const email of ['anna@example.com', 'new@example.com']) {
      outside.person = { ...somebody(), email, ...less } as never;
      const result = await signInWith();
      expect([result.status, result.html?.includes('no e-mail address of yours')]).toEqual([403, true]);
    }
  });

  it('says in the ID token that it was federation, and is never a password', async () => {
    await addOpenId({ allowSignUp: true });
    const { tokens } = await signInWith();
    expect(decodeJwt(tokens?.id_token ?? '')['amr']).toEqual(['fed']);
  });
});

describe('a second factor that the repository demands', () => {
  it('is demanded of those who come from outside too, unless their provider is trusted with it', async () => {
    await customer.repositories.update(customer.tenant.machine, customer.slug, { secondFactor: 'forced' });
    await addOpenId({ allowSignUp: true });
    const stopped = await signInWith();
    expect([stopped.status, stopped.url?.pathname.endsWith('/enrol')]).toEqual([200, true]);
    await providers.update(customer.tenant.machine, customer.slug, 'acme', { trustsSecondFactor: true });
    const { tokens } = await signInWith();
    expect(decodeJwt(tokens?.id_token ?? '')['amr']).toEqual(['fed', 'mfa']);
  });
});

describe('a user who has an account here', () => {
  it('is connected by proving both: there, and once here; afterwards the provider is enough', async () => {
    await addOpenId();
    outside.person = { ...somebody(), email: 'Anna@Example.com' };
    const { browser, url, html } = await signInWith();
    expect(html).toContain('Sign in once as this user');
    // Nothing is connected by having come back.
    expect((await signInWith()).tokens).toBeUndefined();
    const sent = await browser.go(url ?? '', { login: 'anna', password });
    expect(sent.status).toBe(303);
    await browser.follow(new URL(sent.headers.get('location') ?? '', url), stays);
    expect(subjectOf(await signInWith())).toBe(String(customer.anna.id));
  });

  it('is not connected by a wrong password, by signing in as somebody else, or when they do not want it', async () => {
    await addOpenId();
    await customer.users.create(customer.tenant.machine, customer.slug, { loginName: 'bert', password, administrator: false });
    outside.person = { ...somebody(), email: 'anna@example.com' };
    const linked = async () =>
      (await running.test.owner.query('SELECT FROM identity_links WHERE repository_id = $1', [customer.repository.id])).rowCount;
    const first = await signInWith();
    expect((await first.browser.go(first.url ?? '', { login: 'anna', password: 'wrong' })).status).toBe(401);
    expect((await first.browser.go(first.url ?? '', { login: 'bert', password })).status).toBe(303);
    expect(await linked()).toBe(0);
    const second = await signInWith();
    const [without = ''] = /[^"]*\/federation(?=")/.exec(second.html ?? '') ?? [];
    const back = await second.browser.go(new URL(without, second.url));
    expect((await second.browser.go(new URL(back.headers.get('location') ?? '', second.url), { login: 'anna', password })).status).toBe(
      303,
    );
    expect(await linked()).toBe(0);
  });

  it('cannot come in once disabled', async () => {
    await addOpenId({ allowSignUp: true });
    const sub = subjectOf(await signInWith());
    await customer.users.update(customer.tenant.machine, customer.slug, Number(sub), { enabled: false });
    expect(await signInWith()).toMatchObject({ status: 403, html: expect.stringContaining('disabled') as string });
  });
});

describe('an answer of a provider', () => {
  it('counts only in the browser that was sent there, for the request it was sent with, and once', async () => {
    await addOpenId({ allowSignUp: true });
    const mine = await openSignIn();
    const answer = await press(mine.browser, mine.page);
    // Login CSRF: the answer to an attacker's request in the browser of a victim.
    expect((await new Browser(running).go(answer)).status).toBe(400);
    const victim = await openSignIn();
    expect((await victim.browser.go(answer)).status).toBe(400);
    await press(victim.browser, victim.page);
    expect((await victim.browser.go(answer)).status).toBe(502);
    const arrived = await mine.browser.follow(answer, stays);
    expect(arrived.url.searchParams.has('code')).toBe(true);
    expect((await mine.browser.go(answer)).status).toBe(400);
  });

  it('is not one of another provider (mix-up), nor under another name', async () => {
    await addOpenId({ allowSignUp: true });
    await addGitHub({ allowSignUp: true });
    const { browser, page } = await openSignIn();
    const answer = await press(browser, page, 'github', github);
    expect((await browser.go(answer.href.replace('/callback/github', '/callback/acme'))).status).toBe(400);

    const other = await openSignIn();
    const named = await press(other.browser, other.page);
    expect(named.searchParams.get('iss')).toBe(outside.url);
    named.searchParams.set('iss', 'https://evil.example.com');
    expect((await other.browser.go(named)).status).toBe(502);
  });

  it.each([
    ['another state', (url: URL) => url.searchParams.set('state', 'x'.repeat(43))],
    ['no state', (url: URL) => url.searchParams.delete('state')],
    ['another code', (url: URL) => url.searchParams.set('code', 'made-up')],
    ['an error', (url: URL) => (url.searchParams.delete('code'), url.searchParams.set('error', 'access_denied'))],
  ])('with %s lets nobody in, and leads back to signing in', async (_what, change) => {
    await addOpenId({ allowSignUp: true });
    await addGitHub({ allowSignUp: true });
    for (const [id, at] of [
      ['acme', outside],
      ['github', github],
    ] as const) {
      const { browser, page } = await openSignIn();
      const answer = await press(browser, page, id, at);
      change(answer);
      const response = await browser.go(answer);
      expect([id, [403, 502].includes(response.status)]).toEqual([id, true]);
      expect(await response.text()).toContain('Back to signing in');
    }
  });

  it('with a token that was made for another request lets nobody in', async () => {
    await addOpenId({ allowSignUp: true });
    const { browser, page } = await openSignIn();
    const sent = await browser.go(`${page.href}/federation/acme`);
    const url = new URL(sent.headers.get('location') ?? '');
    url.searchParams.set('nonce', 'of-somebody-else');
    const answer = await outside.answer(running, url);
    answer.searchParams.set('arrived', 'yes');
    expect((await browser.go(answer)).status).toBe(502);
  });
});

describe('signing in with GitHub', () => {
  it('knows people by their number there, by the primary address that is verified', async () => {
    await addGitHub({ allowSignUp: true });
    const sub = subjectOf(await signInWith('github', github));
    expect(await userOf(sub)).toMatchObject({ login_name: 'octocat@example.com', email: 'octocat@example.com' });
    github.user = { ...github.user, login: 'renamed' };
    expect(subjectOf(await signInWith('github', github))).toBe(sub);
    github.user = { id: 1, login: 'octocat', name: 'Squatter' };
    github.emails = [
      { email: 'other@example.com', primary: false, verified: true, visibility: 'public' },
      { email: 'squatter@example.com', primary: true, verified: false, visibility: 'public' },
    ];
    expect((await signInWith('github', github)).status).toBe(403);
  });

  it('fails in words when the secret is wrong', async () => {
    await addGitHub({ allowSignUp: true, clientSecret: 'wrong' });
    expect(await signInWith('github', github)).toMatchObject({
      status: 502,
      html: expect.stringContaining('GitHub cannot be reached') as string,
    });
  });
});

describe('an identity provider', () => {
  it.each(['disabled', 'removed'])("that is %s ends every session and token of who came from it, and nobody else's", async (what) => {
    await addOpenId({ allowSignUp: true });
    const configuration = await customer.discover();
    const told = { backchannelLogoutUri: 'https://app.example.com/signed-out' };
    await customer.clients.update(customer.tenant.machine, customer.slug, customer.repository.appClient.clientId, told);
    const came = await signInWith();
    const own = await customer.signIn(configuration);
    const alive = async (token: string) =>
      (await fetch(configuration.serverMetadata().userinfo_endpoint ?? '', { headers: { authorization: `Bearer ${token}` } })).status;
    expect([await alive(came.tokens?.access_token ?? ''), await alive(own.access_token)]).toEqual([200, 200]);
    const { endedSessions, cutoff } =
      what === 'disabled'
        ? await providers.update(customer.tenant.machine, customer.slug, 'acme', { enabled: false })
        : await providers.delete(customer.tenant.machine, customer.slug, 'acme');
    expect([endedSessions, Date.parse(cutoff?.effectiveAt ?? '') <= Date.now() + 5]).toEqual([1, true]);
    // Nodes are asked about the grant that ended, and the app is told of the session; neither of any other.
    const { rows } = await running.test.owner.query<object>(
      `SELECT c.kind, cardinality(c.grant_ids) AS grants, o.data->>'sid' AS sid FROM cutoffs c, outbox o
       WHERE c.id = $1 AND o.name = 'logout.tell' AND o.data->>'repositoryId' = c.repository_id::text`,
      [cutoff?.id],
    );
    expect(rows).toEqual([{ kind: 'identity-provider.ended', grants: 1, sid: came.tokens?.claims()?.['sid'] }]);
    expect([await alive(came.tokens?.access_token ?? ''), await alive(own.access_token)]).toEqual([401, 200]);
    await expect(client.refreshTokenGrant(configuration, came.tokens?.refresh_token ?? '')).rejects.toMatchObject({
      error: 'invalid_grant',
    });
    const silent = await customer.request(configuration, { prompt: 'none' });
    const { url } = await came.browser.follow(silent.url, stays);
    expect(url.searchParams.get('error')).toBe('login_required');
  });

  it('that is disabled while somebody is on the way lets them in no more', async () => {
    await addOpenId({ allowSignUp: true });
    const { browser, page } = await openSignIn();
    const answer = await press(browser, page);
    const resumed = await browser.go(answer);
    await providers.update(customer.tenant.machine, customer.slug, 'acme', { enabled: false });
    const arrived = await browser.follow(new URL(resumed.headers.get('location') ?? '', answer), stays);
    expect(arrived.url.searchParams.has('code')).toBe(false);
    expect(arrived.page?.status ?? 303).toBeLessThan(500);
    const { browser: other, page: at } = await openSignIn();
    expect((await other.go(`${at.href}/federation/acme`)).status).toBe(404);
  });

  it('keeps its secret to itself: encrypted in the database, in no answer and no page', async () => {
    const planted = 'planted-secret-of-the-client';
    const view = await addOpenId({ clientSecret: planted });
    const list = await providers.list(customer.tenant.machine, customer.slug, { limit: 50 });
    const { rows } = await running.test.owner.query<{ all: string }>(
      `SELECT (SELECT string_agg(p::text, '') FROM identity_providers p) || (SELECT string_agg(a::text, '') FROM audit_events a) AS all`,
    );
    const { html } = await openSignIn();
    const hexadecimal = Buffer.from(planted).toString('hex');
    for (const text of [JSON.stringify(view), JSON.stringify(list), rows[0]?.all ?? '', html])
      for (const secret of [planted, hexadecimal]) expect(text).not.toContain(secret);
    expect(view.hasClientSecret).toBe(true);
  });

  it('inside is not asked, unless the operator allows it', async () => {
    const { Federation } = await import('./federation/federation.js');
    await addOpenId();
    const strict = new Federation(running.database, running.options.encryption, { allowPrivateAddresses: false });
    const found = await strict.find(customer.repository.id, 'acme');
    const errand = { state: 's', nonce: 'n', codeVerifier: 'v' };
    await expect(found?.outside.begin(errand, 'https://example.com/', { again: false })).rejects.toMatchObject({ reason: 'failed' });
  });
});

describe('a member who signs in at the console with others', () => {
  it('is federated from then on, so that the policy for member credentials applies; and no more when the provider is gone', async () => {
    const tenant = await running.newTenant('federated');
    const member = await tenant.addMember('super-admin');
    const operator = memberActor(
      { tenantId: running.console.tenantId, id: newId(), role: 'owner', person: { loginName: 'op', name: 'Op', email: null } },
      tenantPermissions,
      { requestId: newId() },
    );
    const { clientId, clientSecret, url: issuer } = outside;
    const settings = { allowSignUp: false, emailDomains: [], trustsSecondFactor: false, enabled: true };
    await providers.create(operator, 'console', { id: 'acme', kind: 'oidc', name: 'Acme', issuer, clientId, clientSecret, ...settings });
    outside.person = { ...somebody(), email: `${member.loginName}@example.com` };
    const credentials = new MemberCredentials(running.database, running.options.peppers, running.authority.directory);
    expect(await credentials.me(member.actor)).toMatchObject({ credentialRefusal: null });

    const browser = new Browser(running);
    const page = new URL(await browser.openSignIn());
    const answer = await press(browser, page);
    await browser.go(answer);
    expect((await browser.go(page, { login: member.loginName, password: member.password })).status).toBe(303);
    expect(await credentials.me(member.actor)).toMatchObject({ credentialRefusal: 'federated' });
    await expect(credentials.create(member.actor)).rejects.toMatchObject({ type: 'forbidden' });
    await providers.delete(operator, 'console', 'acme');
    expect(await credentials.me(member.actor)).toMatchObject({ credentialRefusal: null });
  });
});
