import { randomBytes } from 'node:crypto';
import { Agent, createServer, request as send, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import fc from 'fast-check';
import { decodeJwt, decodeProtectedHeader } from 'jose';
import { wellKnown } from '@latchkey/content';
import { KeyRing, type Question } from '@latchkey/credentials';
import { createLogger } from '@latchkey/runtime';
import { openAuthority, type Authority } from './authority.js';
import { createListener } from './server.js';
import { Customer } from './testing/customer.js';
import { startAuthority, type RunningAuthority } from './testing/running-authority.js';
import { anyRequest, plainRequest, unusualRequests, type Exchange, type Presented } from './testing/token-requests.js';

/*
 * The express lane answers as oidc-provider does. The same requests go to two servers of one authority, one of them without
 * the lane. `LANE_REQUESTS=20000` sends so many; a failure prints its seed and the least request that shows it.
 */

const requests = Number(process.env['LANE_REQUESTS'] ?? 800);
const atOnce = 8;

let running: RunningAuthority;
let lane: Server;
let standard: Server;
/** What servers with and without the lane asked the primary. */
const asked: { lane: Question[]; standard: Question[] } = { lane: [], standard: [] };
let credentials: Presented[];
let host: string;
const agent = new Agent({ keepAlive: true, maxSockets: 2 * atOnce });

beforeAll(async () => {
  running = await startAuthority();
  const [acme, other] = [await Customer.open(running), await Customer.open(running)];
  const { machine } = acme.tenant;
  const reader = await acme.clients.create(
    machine,
    acme.slug,
    { kind: 'tool', name: 'Reader', permissions: ['content:read'] },
    wellKnown.publicAdmin,
  );
  const replaced = acme.repository.toolClient.secret.value;
  const { secret } = await acme.secrets.regenerate(machine, acme.slug, acme.repository.toolClient.clientId, { overlapSeconds: 0 });
  const asRs256 = await Customer.open(running);
  await asRs256.repositories.update(asRs256.tenant.machine, asRs256.slug, { signingAlgorithm: 'RS256' });
  const suspended = await Customer.open(running);
  await suspended.repositories.suspend(suspended.tenant.machine, suspended.slug);
  const toolOf = (customer: Customer) => ({
    id: customer.repository.toolClient.clientId,
    secret: customer.repository.toolClient.secret.value,
    slug: customer.slug,
  });
  credentials = [
    { id: acme.repository.toolClient.clientId, secret: secret.value, slug: acme.slug },
    { id: acme.repository.toolClient.clientId, secret: replaced, slug: acme.slug },
    { id: acme.repository.appClient.clientId, secret: secret.value, slug: acme.slug },
    { id: reader.clientId, secret: reader.secret?.value ?? '', slug: acme.slug },
    { id: running.first.credential.clientId, secret: running.first.credential.secret.value, slug: 'console' },
    { id: 'nobody', secret: secret.value, slug: acme.slug },
    ...[other, asRs256, suspended].map(toolOf),
  ];
  host = new URL(running.issuerOf('x')).host;

  const watched = (log: Question[]): Authority => ({
    ...running.authority,
    // Each request has an address of its own, so that none is slowed by the wrong secrets of others.
    addressOf: (request) => String(request?.headers['x-address']),
    check: Object.assign(Object.create(running.authority.check) as Authority['check'], {
      ask: (question: Question) => {
        log.push(question);
        return running.authority.check.ask(question);
      },
    }),
  });
  lane = createServer(createListener(watched(asked.lane)));
  standard = createServer(createListener(watched(asked.standard), { expressLane: false }));
  await Promise.all([lane, standard].map((server) => new Promise<void>((done) => void server.listen(0, '127.0.0.1', done))));
});
afterAll(async () => {
  agent.destroy();
  for (const server of [lane, standard]) server.close();
  await running.close();
});

let addresses = 0;

interface Received {
  status: number;
  headers: Record<string, unknown>;
  body: unknown;
  /** Decoded, without what is different in every token. */
  token?: unknown;
  expiresIn?: number;
}

/** What a server answers, without what no two answers share. */
async function exchange(server: Server, { method, path, headers, body }: Exchange, address: string): Promise<Received> {
  const text = await new Promise<{ status: number; headers: Record<string, unknown>; text: string }>((resolve, reject) => {
    const { port } = server.address() as AddressInfo;
    const outgoing = send({
      host: '127.0.0.1',
      port,
      method,
      path,
      agent,
      setHost: false,
      headers: { host, 'x-address': address, ...headers },
    });
    outgoing.on('error', reject);
    outgoing.on('response', (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('end', () =>
        resolve({ status: response.statusCode ?? 0, headers: { ...response.headers }, text: Buffer.concat(chunks).toString('utf8') }),
      );
    });
    outgoing.end(body === undefined ? undefined : Buffer.from(body, 'latin1'));
  });
  const { date, 'x-request-id': requestId, ...same } = text.headers;
  if (typeof date !== 'string' || typeof requestId !== 'string') throw new Error('an answer has a date and an id');
  let parsed: unknown = text.text;
  try {
    parsed = JSON.parse(text.text);
  } catch {
    // A page, or nothing.
  }
  const { access_token: accessToken, ...rest } = (parsed ?? {}) as { access_token?: string };
  if (accessToken === undefined) return { status: text.status, headers: same, body: parsed };
  const { jti, iat, exp, ...claims } = decodeJwt(accessToken);
  expect(jti).toMatch(/^[\w-]{43}$/);
  return {
    status: text.status,
    headers: same,
    body: rest,
    token: { header: decodeProtectedHeader(accessToken), claims, lives: Number(exp) - Number(iat), length: accessToken.length },
  };
}

async function both(one: Exchange): Promise<[Received, Received]> {
  const address = `test-${++addresses}`;
  return Promise.all([exchange(lane, one, address), exchange(standard, one, address)]);
}

const plain = (which: number) => plainRequest(credentials[which]!);

describe('the express lane', () => {
  it('answers every request as oidc-provider does: status, headers, body, and the token claim by claim', async () => {
    const statuses = new Map<number, number>();
    const seed = Number(process.env['LANE_SEED'] ?? Date.now() % 2 ** 31);
    process.stdout.write(`LANE_SEED=${seed}\n`);
    const property = fc.asyncProperty(anyRequest(credentials), async (request) => {
      const [one, other] = await both(request);
      expect(one).toEqual(other);
      statuses.set(one.status, (statuses.get(one.status) ?? 0) + 1);
    });
    const some = (_: unknown, index: number) =>
      fc.assert(property, { numRuns: Math.ceil(requests / atOnce), seed: seed + index, includeErrorInReport: true });
    await Promise.all(Array.from({ length: atOnce }, some));
    // The requests were of all sorts, and a good part of them got tokens: one in seven, usually.
    expect(statuses.get(200)).toBeGreaterThan(requests / 20);
    expect(statuses.get(400)).toBeGreaterThan(requests / 20);
    expect(statuses.get(401)).toBeGreaterThan(requests / 20);
  });

  it('does so for a right request, and one with a replaced secret, with any one thing that is unusual', async () => {
    for (const request of [0, 1].flatMap((which) => unusualRequests(credentials[which]!))) {
      const [one, other] = await both(request);
      expect({ request, answer: one }).toEqual({ request, answer: other });
    }
  });

  it('asks the primary once for a token, as oidc-provider does', async () => {
    await both(plain(0));
    asked.lane.length = asked.standard.length = 0;
    const [one] = await both(plain(0));
    expect([one.status, asked.lane.length, asked.standard.length]).toEqual([200, 1, 1]);
  });

  it('asks once for a refusal too, its own or one that oidc-provider answers by what the lane was told', async () => {
    for (const which of [1, 5]) {
      asked.lane.length = asked.standard.length = 0;
      const [one, other] = await both(plain(which));
      expect([one, one.status, asked.lane.length, asked.standard.length]).toEqual([other, 401, 1, 1]);
    }
  });

  it('counts a replaced secret as oidc-provider does, in the trail and among the uses', async () => {
    const address = '203.0.113.7';
    // Of too many that are different the trail tells no more apart.
    await running.authority.refusals.flush();
    for (const server of [lane, standard, lane]) await exchange(server, plain(1), address);
    await Promise.all([running.authority.refusals.flush(), running.authority.uses.flush()]);
    const rows = async (statement: string) => (await running.test.owner.query(statement, [credentials[1]!.id, address])).rows;
    expect(await rows(`SELECT details FROM audit_events WHERE target_id = $1 AND address = $2 AND action = 'token.refused'`)).toEqual([
      { details: expect.objectContaining({ reason: 'replaced secret', count: 3 }) as unknown },
    ]);
    expect(await rows(`SELECT outcome, uses::integer FROM credential_uses WHERE credential_id = $1 AND address = $2`)).toEqual([
      { outcome: 'replaced', uses: 3 },
    ]);
  });

  it('serves members, tenants and tools with fewer permissions, with credentials in the header and in the form', async () => {
    for (const which of [0, 3, 4]) {
      const { id, secret } = credentials[which]!;
      const { path } = plain(which);
      const form = { ...plain(which), path, headers: { 'content-type': 'application/x-www-form-urlencoded' } };
      asked.lane.length = 0;
      const answers = [
        await both(plain(which)),
        await both({ ...form, body: `grant_type=client_credentials&client_id=${id}&client_secret=${secret}` }),
      ];
      for (const [one, other] of answers) expect([one, one.status]).toEqual([other, 200]);
      expect(asked.lane).toHaveLength(2);
    }
  });

  it('reads a body that comes in pieces, or byte by byte, whole', async () => {
    const { id, secret, slug } = credentials[0]!;
    const body = `grant_type=client_credentials&client_id=${id}&client_secret=${secret}`;
    const inPieces = (server: Server, pieces: string[]) =>
      new Promise<number>((resolve, reject) => {
        const headers = { host, 'content-type': 'application/x-www-form-urlencoded', 'content-length': body.length, 'x-address': 'pieces' };
        const { port } = server.address() as AddressInfo;
        const outgoing = send(
          { host: '127.0.0.1', port, method: 'POST', path: `/${slug}/connect/token`, headers, setHost: false },
          (response) => {
            response.resume();
            resolve(response.statusCode ?? 0);
          },
        );
        outgoing.on('error', reject);
        void (async () => {
          for (const piece of pieces) {
            outgoing.write(piece);
            await new Promise((later) => setTimeout(later, pieces.length > 2 ? 1 : 20));
          }
          outgoing.end();
        })();
      });
    const middle = Math.floor(body.length / 2);
    expect(await inPieces(lane, [body.slice(0, middle), body.slice(middle)])).toBe(200);
    expect(await inPieces(lane, [...body])).toBe(200);
  });

  it('slows a guesser as oidc-provider does, and its own wrong secrets are counted once', async () => {
    const wrong = (server: Server) => {
      const { id, slug } = credentials[0]!;
      const headers = { ...plain(0).headers, authorization: `Basic ${Buffer.from(`${id}:wrong`).toString('base64')}` };
      return exchange(server, { ...plain(0), path: `/${slug}/connect/token`, headers }, 'guesser');
    };
    const statuses: number[] = [];
    for (let i = 0; i < 11; i++) statuses.push((await wrong(lane)).status);
    expect(statuses).toEqual([...Array.from({ length: 10 }, () => 401), 429]);
    // The right secret and the replaced one wait with the wrong ones, from this address alone.
    for (const which of [0, 1]) expect((await exchange(lane, plain(which), 'guesser')).status).toBe(429);
    expect((await exchange(lane, plain(0), 'somebody else')).status).toBe(200);
  });
});

describe('an authority whose configuration lacks a pepper that live secrets need', () => {
  it('warns at its start, naming the pepper and no secret', async () => {
    const warnings: unknown[] = [];
    const log = Object.assign(createLogger('test', 'silent'), { warn: (about: unknown) => void warnings.push(about) });
    const peppers = KeyRing.parse(`another:${randomBytes(32).toString('base64')}`);
    await (await openAuthority({ ...running.config, SECRET_PEPPERS: peppers }, log)).close();
    expect(warnings).toEqual([{ lacking: { k1: { 'client secrets': expect.any(Number) as number } } }]);
  });
});
