import { createHash, randomBytes } from 'node:crypto';
import { Pool } from 'undici';
import { redirectUri } from '../customer.js';
import { Person } from '../person.js';
import { median } from '../statistics.js';
import { startYardstick } from '../yardsticks/yardstick.js';
import { benchRepository, perSecond, ratio, type Bench, type Line } from './row.js';

/** Who does it at once. */
const people = 8;

/** An app and somebody who has signed in to it, at whatever authority. */
interface App {
  pool: Pool;
  authorize: string;
  token: string;
  clientId: string;
  cookies: string;
}

/** From an app's request, by somebody with a session, over the code to its tokens, beside the plain library on the same storage. */
export async function codeRow({ installation, seeded, rounds, seconds }: Bench): Promise<Line[]> {
  const [node] = installation.of('authority');
  const yardstick = await startYardstick('plain-provider', installation.postgres.ownerUrl);
  const pools = { ours: new Pool(node!.origin, { connections: people }), plain: new Pool(yardstick.origin, { connections: people }) };
  try {
    const repository = seeded[0]!;
    const ours: App[] = [];
    const plain: App[] = [];
    for (let i = 0; i < people; i++) {
      const person = new Person(pools.ours, benchRepository(repository));
      await person.signIn(await person.openSignIn(), 'person-1', repository.password);
      const { slug, appClientId: clientId } = repository;
      const paths = { authorize: `/${slug}/connect/authorize`, token: `/${slug}/connect/token` };
      ours.push({ pool: pools.ours, ...paths, clientId, cookies: person.cookies });
      const app = { pool: pools.plain, authorize: '/auth', token: '/token', clientId: 'app', cookies: '' };
      plain.push({ ...app, cookies: await signInAtPlain(app) });
    }
    const apps = { ours, plain };
    const measure = (name: keyof typeof apps, forSeconds = seconds) => flows(apps[name], forSeconds);
    for (const name of ['ours', 'plain'] as const) await measure(name, 5);
    const measured = await rounds.byTurns(['ours', 'plain'], (name) => measure(name));
    const value = median(measured.ours.map((each, round) => each / measured.plain[round]!));
    return [
      {
        work: 'authorization code + PKCE, signed in already: code → tokens',
        ours: perSecond(median(measured.ours)),
        yardstick: `plain oidc-provider, PostgreSQL: ${perSecond(median(measured.plain))}`,
        measured: ratio(value),
        goal: '≥ 1.0',
        reached: value >= 1,
      },
    ];
  } finally {
    await Promise.all([pools.ours.destroy(), pools.plain.destroy(), yardstick.stop()]);
  }
}

/** @returns how many there were each second. */
async function flows(apps: App[], seconds: number): Promise<number> {
  const begun = performance.now();
  const deadline = begun + seconds * 1_000;
  let count = 0;
  const one = async (app: App) => {
    while (performance.now() < deadline) {
      await walk(app);
      count++;
    }
  };
  await Promise.all(apps.map(one));
  return count / ((performance.now() - begun) / 1_000);
}

function request({ authorize, clientId }: App, verifier: string): string {
  const parameters = new URLSearchParams({
    client_id: clientId,
    redirect_uri: redirectUri,
    response_type: 'code',
    scope: 'openid',
    state: randomBytes(8).toString('hex'),
    code_challenge: createHash('sha256').update(verifier).digest('base64url'),
    code_challenge_method: 'S256',
  });
  return `${authorize}?${parameters.toString()}`;
}

async function walk(app: App): Promise<void> {
  const verifier = randomBytes(32).toString('base64url');
  const sent = await app.pool.request({ method: 'GET', path: request(app, verifier), headers: { cookie: app.cookies } });
  await sent.body.dump();
  const code = URL.parse(String(sent.headers['location']))?.searchParams.get('code');
  if (!code) throw new Error(`${app.authorize} answered ${sent.statusCode} and sent to ${String(sent.headers['location'])}`);
  const form = { grant_type: 'authorization_code', code, redirect_uri: redirectUri, client_id: app.clientId, code_verifier: verifier };
  const answer = await app.pool.request({
    method: 'POST',
    path: app.token,
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
    body: new URLSearchParams(form).toString(),
  });
  const text = await answer.body.text();
  if (answer.statusCode !== 200 || !text.includes('id_token')) throw new Error(`${app.token} answered ${answer.statusCode}: ${text}`);
}

/** It takes whoever comes. @returns the cookies of the session. */
async function signInAtPlain(app: App): Promise<string> {
  const cookies = new Map<string, string>();
  let path = request(app, randomBytes(32).toString('base64url'));
  for (let step = 0; step < 6; step++) {
    const cookie = [...cookies].map((pair) => pair.join('=')).join('; ');
    const { headers, body } = await app.pool.request({ method: 'GET', path, headers: { cookie } });
    await body.dump();
    for (const set of [headers['set-cookie'] ?? []].flat()) {
      const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(set) ?? [];
      cookies.set(name, value);
    }
    const to = new URL(String(headers['location']), 'http://localhost');
    if (to.searchParams.has('code')) return [...cookies].map((pair) => pair.join('=')).join('; ');
    path = `${to.pathname}${to.search}`;
  }
  throw new Error('the plain provider signs nobody in');
}
