import { createHash, randomBytes } from 'node:crypto';
import { setTimeout as wait } from 'node:timers/promises';
import type { Question } from '@latchkey/credentials';
import { Client } from '@latchkey/database';
import { Browser } from './testing/browser.js';
import { startAuthority, type RunningAuthority, type TestMember } from './testing/running-authority.js';

/* What a request answers when that which it is about ends while it is under way. */

let running: RunningAuthority;

beforeAll(async () => {
  running = await startAuthority();
});
afterAll(() => running.close());

const freshMember = async (): Promise<TestMember> => (await running.newTenant('Acme')).addMember('owner');

/** Carries out a request, and something else just before or after the authority asks the primary what `when` says. */
async function whileAsking<T>(
  { when, before, after }: { when: (question: Question) => boolean; before?: () => Promise<unknown>; after?: () => Promise<unknown> },
  request: () => Promise<T>,
): Promise<T> {
  const { authority } = running;
  const { check } = authority;
  let struck = false;
  const between = {
    ask: async (question: Question) => {
      const meant = !struck && when(question);
      if (meant) struck = true;
      if (meant) await before?.();
      const answer = await check.ask(question);
      if (meant) await after?.();
      return answer;
    },
  };
  Object.assign(authority, { check: between });
  try {
    const answer = await request();
    expect(struck).toBe(true);
    return answer;
  } finally {
    Object.assign(authority, { check });
  }
}

const disable = (member: TestMember) =>
  running.test.owner.query(
    'UPDATE repository_users SET enabled = false, generation = generation + 1 WHERE repository_id = $1 AND id = $2',
    [running.console.id, member.userId],
  );

describe('a person who is disabled between the request for a code and its answer', () => {
  const strike = (member: TestMember) => ({
    when: ({ clientId }: Question) => clientId?.startsWith('app_') === true,
    before: () => disable(member),
  });

  it('gets none: a silent sign-in answers login_required', async () => {
    const member = await freshMember();
    const browser = new Browser(running);
    await browser.signIn(member.loginName, member.password);
    const response = await whileAsking(strike(member), () => browser.authorize({ prompt: 'none' }));
    expect(response.status).toBe(303);
    const location = new URL(response.headers.get('location') ?? '');
    expect([location.searchParams.get('error'), location.searchParams.has('code')]).toEqual(['login_required', false]);
  });

  it('gets none: in a window that can ask, somebody is to sign in', async () => {
    const member = await freshMember();
    const browser = new Browser(running);
    await browser.signIn(member.loginName, member.password);
    const response = await whileAsking(strike(member), () => browser.authorize());
    expect([response.status, response.headers.get('location')]).toEqual([303, expect.stringContaining('/interaction/') as string]);
    // And what they come to is a page, not a fault.
    const page = await browser.go(new URL(response.headers.get('location') ?? '', running.issuerOf('console')).href);
    expect(page.status).toBe(200);
  });
});

describe('a database that goes away between the request for a code and its answer', () => {
  it('makes nobody an error of ours: 503, and the session is good afterwards', async () => {
    const { owner } = running.test;
    const member = await freshMember();
    const browser = new Browser(running);
    await browser.signIn(member.loginName, member.password);
    const limit = async (connections: number) => {
      const [{ name }] = (await owner.query<{ name: string }>('SELECT current_database() AS name')).rows as [{ name: string }];
      await owner.query(`ALTER DATABASE ${name} CONNECTION LIMIT ${connections}`);
    };
    const goAway = async () => {
      await limit(0);
      await owner.query(
        `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() AND usename <> current_user`,
      );
    };
    const when = ({ clientId }: Question) => clientId?.startsWith('app_') === true;
    try {
      const response = await whileAsking({ when, after: goAway }, () => browser.authorize({ prompt: 'none' }));
      expect([response.status, response.headers.get('retry-after')]).toEqual([503, '1']);
    } finally {
      await limit(-1);
    }
    // A connection that the authority does not know to be broken yet may still be asked.
    let again = await browser.authorize({ prompt: 'none' });
    for (let tries = 0; tries < 600 && again.status === 503; tries++) {
      await wait(50);
      again = await browser.authorize({ prompt: 'none' });
    }
    expect(new URL(again.headers.get('location') ?? '').searchParams.has('code')).toBe(true);
  });
});

describe('asking about a token whose client is deleted meanwhile', () => {
  /** A token of a person, the client it is for, and who asks about it. */
  async function prepare() {
    const { console: repository, database, test, issuerOf } = running;
    const member = await freshMember();
    const portal = await database.read({ repositoryId: repository.id }, (tx) =>
      tx.findOneByOrFail(Client, { repositoryId: repository.id, kind: 'app' as const, isDefault: true }),
    );
    const appId = `app_${randomBytes(11).toString('hex')}`;
    await test.owner.query(
      `INSERT INTO clients (repository_id, id, tenant_id, kind, name, redirect_uris, permissions)
       SELECT repository_id, $2, tenant_id, kind, name, redirect_uris, permissions FROM clients WHERE id = $1`,
      [portal.id, appId],
    );
    const verifier = randomBytes(32).toString('base64url');
    const browser = new Browser(running);
    await browser.signIn(member.loginName, member.password);
    const response = await browser.authorize({
      client_id: appId,
      code_challenge: createHash('sha256').update(verifier).digest('base64url'),
    });
    const code = new URL(response.headers.get('location') ?? '').searchParams.get('code') ?? '';
    const redirect = portal.redirectUris[0] ?? '';
    const answer = await fetch(`${issuerOf('console')}/connect/token`, {
      method: 'POST',
      body: new URLSearchParams({
        grant_type: 'authorization_code',
        code,
        client_id: appId,
        redirect_uri: redirect,
        code_verifier: verifier,
      }),
    });
    const { access_token: token = '' } = (await answer.json()) as { access_token?: string };
    const { credential } = await running.newTenant('Asking').then(({ made }) => made);
    const ask = async () => {
      const asked = await fetch(`${issuerOf('console')}/connect/introspect`, {
        method: 'POST',
        headers: { authorization: `Basic ${btoa(`${credential.clientId}:${credential.secret.value}`)}` },
        body: new URLSearchParams({ token }),
      });
      return { status: asked.status, body: (await asked.json()) as { active?: boolean } };
    };
    const remove = () => test.owner.query('UPDATE clients SET deleted_at = now(), generation = generation + 1 WHERE id = $1', [appId]);
    // With the versions of its secret: that is how the library looks a client up.
    const when = ({ clientId, withSecrets }: Question) => clientId === appId && withSecrets === true;
    return { ask, remove, when };
  }

  it('answers that the token is not active', async () => {
    const { ask, remove, when } = await prepare();
    expect(await ask()).toMatchObject({ status: 200, body: { active: true } });
    expect(await whileAsking({ when, before: remove }, ask)).toEqual({ status: 200, body: { active: false } });
  });

  it('answers as things were when it asked, if that was just before', async () => {
    const { ask, remove, when } = await prepare();
    expect(await whileAsking({ when, after: remove }, ask)).toMatchObject({ status: 200, body: { active: true } });
    expect(await ask()).toEqual({ status: 200, body: { active: false } });
  });
});
