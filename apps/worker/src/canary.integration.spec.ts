import { randomBytes } from 'node:crypto';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as wait } from 'node:timers/promises';
import type { NodeKind } from '@latchkey/contracts';
import { CredentialCheck, KeyRing, matchSecret, RepositoryDirectory } from '@latchkey/credentials';
import { connectForChecks, newId, type CanaryRun, type Pool } from '@latchkey/database';
import { createTestDatabase, type TestDatabase } from '@latchkey/database/testing';
import { AddressTemplate, createLogger, metrics } from '@latchkey/runtime';
import { install } from '@latchkey/tenancy';
import { startCanary } from './canary.js';

let test: TestDatabase;
let pool: Pool;
let check: CredentialCheck;
let directory: RepositoryDirectory;
const servers: Server[] = [];

const ring = () => KeyRing.parse(`k1:${randomBytes(32).toString('base64')}`);
const [peppers, encryption] = [ring(), ring()];
/** The repository is named by the host here and by the path there, so that both forms are tried. */
const urls = {
  authorityUrls: new AddressTemplate('https://{repository}.id.example.com/base'),
  repositoryUrls: new AddressTemplate('http://content.example.com/{repository}'),
};

beforeAll(async () => {
  test = await createTestDatabase();
  pool = connectForChecks({ url: test.url });
  [check, directory] = [new CredentialCheck(pool), new RepositoryDirectory(pool)];
  await install({ database: test.database, peppers, encryption, ...urls, portalUrl: 'http://localhost:4000' });
});
afterEach(async () => {
  for (const server of servers.splice(0)) {
    server.close();
    server.closeAllConnections();
  }
  await test.owner.query('DELETE FROM nodes; DELETE FROM canary_runs');
});
afterAll(async () => {
  await pool.end();
  await test.drop();
});

/** Whether a secret or the token of a version is alive, and which version it is. */
type Judge = (slug: string, clientId: string, presented: string) => Promise<string | undefined>;

/** Asks the primary, as every node of ours does. */
const honest: Judge = async (slug, clientId, presented) => {
  const repository = await directory.find(slug);
  if (!repository) return undefined;
  const answer = await check.ask({ repositoryId: repository.id, clientId, withSecrets: true });
  const token = answer?.secrets?.find(({ id, alive }) => alive && presented === `token-of-${id}`);
  if (token) return token.id;
  const match = matchSecret(peppers, repository.environment, answer?.secrets ?? [], presented);
  return match.outcome === 'live' ? match.versionId : undefined;
};

/** Remembers for a while that something was alive, as no node may. */
function forgetful(millis: number): Judge {
  const remembered = new Map<string, { verdict: string; until: number }>();
  return async (slug, clientId, presented) => {
    const verdict = await honest(slug, clientId, presented);
    if (verdict !== undefined) remembered.set(presented, { verdict, until: Date.now() + millis });
    const known = remembered.get(presented);
    return known && known.until > Date.now() ? known.verdict : verdict;
  };
}

/** A node that takes secrets and tokens like an authority, and tokens like a repository API or the tenant API. */
async function register(name: string, kind: NodeKind, judge: Judge): Promise<void> {
  const server = createServer((request, response) => {
    answer(request, judge).then(
      ({ status, body }) => response.writeHead(status).end(JSON.stringify(body)),
      () => response.writeHead(500).end(),
    );
  });
  servers.push(server);
  await new Promise<void>((listening) => void server.listen(0, '127.0.0.1', listening));
  await registerAt(name, kind, `http://127.0.0.1:${(server.address() as AddressInfo).port}`);
}

async function registerAt(name: string, kind: NodeKind, url: string): Promise<void> {
  await test.owner.query(`INSERT INTO nodes (id, name, kind, url, seen_at) VALUES ($1, $2, $3, $4, now() + interval '1 hour')`, [
    newId(),
    name,
    kind,
    url,
  ]);
}

async function answer(request: IncomingMessage, judge: Judge): Promise<{ status: number; body: object }> {
  let text = '';
  for await (const chunk of request) text += String(chunk);
  const [scheme, value = ''] = (request.headers.authorization ?? '').split(' ');
  if (scheme === 'Bearer') {
    const slug = request.url === '/v1/tenant' ? 'console' : urls.repositoryUrls.find(request.headers.host, request.url ?? '')?.slug;
    return { status: (await judge(slug ?? '', 'tool_canary', value)) ? 200 : 401, body: {} };
  }
  const found = urls.authorityUrls.find(request.headers.host, request.url ?? '');
  const [clientId = '', secret = ''] = Buffer.from(value, 'base64').toString().split(':');
  const versionId = await judge(found?.slug ?? '', clientId, secret);
  if (!versionId) return { status: 401, body: { error: 'invalid_client' } };
  if (found?.rest === '/connect/token') return { status: 200, body: { access_token: `token-of-${versionId}` } };
  const token = new URLSearchParams(text).get('token') ?? '';
  return { status: 200, body: { active: (await judge(found?.slug ?? '', clientId, token)) !== undefined } };
}

/** Lets it fly, and gives the first run of each repository. */
async function fly(): Promise<CanaryRun[]> {
  const canary = startCanary({ database: test.database, peppers, ...urls, everySeconds: 60, log: createLogger('test', 'silent') });
  try {
    for (const deadline = Date.now() + 15_000; ; await wait(50)) {
      const { rows } = await test.owner.query<CanaryRun>(
        'SELECT repository, requests, violations, accepted_for_millis AS "acceptedForMillis", nodes FROM canary_runs ORDER BY repository',
      );
      if (rows.length >= 2) return rows;
      if (Date.now() > deadline) throw new Error('it never flew');
    }
  } finally {
    await canary.close();
  }
}

const violationsCounted = async () => (await metrics.getSingleMetric('latchkey_canary_violations_total')?.get())?.values[0]?.value;

describe('the canary', () => {
  it('sees every node accept the secret and the token before the call, and refuse them after its answer', async () => {
    for (const name of ['one', 'two']) await register(name, 'authority', honest);
    await register('three', 'repository-api', honest);
    await register('four', 'tenant-api', honest);
    const before = (await violationsCounted()) ?? 0;
    const runs = await fly();
    expect(runs.map(({ repository, nodes }) => [repository, nodes.map(({ node }) => node)])).toEqual([
      ['canary', ['one', 'two', 'three']],
      ['console', ['one', 'two', 'four']],
    ]);
    for (const run of runs) {
      expect([run.violations, run.acceptedForMillis]).toEqual([0, 0]);
      for (const node of run.nodes) {
        expect(node.acceptedBefore).toBeGreaterThan(0);
        // An authority is asked for a token with the secret, and about the token. A machine that stands still leaves a few unanswered.
        const presented = node.kind === 'authority' ? 28 : 14;
        expect([node.node, node.refused + node.unanswered, node.accepted]).toEqual([node.node, presented, 0]);
        expect(node.refused).toBeGreaterThanOrEqual(presented / 2);
      }
    }
    expect(await violationsCounted()).toBe(before);
  });

  it('catches a node that remembers for a second, and says for how long it accepted', async () => {
    await register('honest', 'authority', honest);
    await register('forgetful', 'repository-api', forgetful(1_000));
    const [run] = await fly();
    expect(run?.violations).toBeGreaterThan(3);
    expect(run?.acceptedForMillis).toBeGreaterThan(0);
    expect(run?.acceptedForMillis).toBeLessThanOrEqual(1_000);
    expect(run?.nodes.find(({ node }) => node === 'forgetful')).toMatchObject({ accepted: run?.violations });
    expect(run?.nodes.find(({ node }) => node === 'honest')).toMatchObject({ accepted: 0 });
    expect(await violationsCounted()).toBeGreaterThanOrEqual(run?.violations ?? 0);
  });

  it('takes no answer, and an answer that says neither, for what they are', async () => {
    await register('honest', 'authority', honest);
    await registerAt('gone', 'repository-api', 'http://127.0.0.1:1');
    await register('broken', 'repository-api', async () => Promise.reject(new Error('no database')));
    const [run] = await fly();
    for (const name of ['gone', 'broken']) {
      expect(run?.nodes.find(({ node }) => node === name)).toMatchObject({ acceptedBefore: 0, refused: 0, accepted: 0, unanswered: 14 });
    }
    expect(run?.violations).toBe(0);
  });

  it('stays at home when told to', async () => {
    await register('honest', 'authority', honest);
    const canary = startCanary({ database: test.database, peppers, ...urls, everySeconds: 0, log: createLogger('test', 'silent') });
    await wait(500);
    await canary.close();
    expect((await test.owner.query('SELECT FROM canary_runs')).rows).toHaveLength(0);
  });
});
