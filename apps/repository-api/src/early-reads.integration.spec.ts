import { wellKnown } from '@latchkey/content';
import { costOf } from '@latchkey/database/testing';
import { ContentRequest } from './request.js';
import { RunningApp, type ProvisionedForTest } from './testing/running-app.js';

/** A credential is known from before, so that what it asks for is read while it is checked, and then something has changed. */
let app: RunningApp;
let acme: ProvisionedForTest;
let made = 0;

beforeAll(async () => {
  app = await RunningApp.start();
});
afterAll(() => app.stop());
beforeEach(async () => {
  acme = await app.provision(`acme-${(made += 1)}`);
});

const change = (sql: string, ...values: unknown[]) => app.test.owner.query(sql, values);
const root = (headers: Record<string, string>) => app.call(acme, `/('Root')`, { headers });
const bearer = async () => ({ authorization: `Bearer ${await app.token(acme)}` });

/** What is still read early for a request that was refused is over once somebody else, here the Visitor, has read as much. */
const settle = async () => (await root({})).text();

describe('of what is read early nobody is answered anything', () => {
  it.each([
    ['whose secret has ended', `UPDATE secret_versions SET ended_at = now() WHERE client_id = $1`, 401],
    ['who may read no contents any more', `UPDATE clients SET permissions = '{}' WHERE id = $1`, 403],
  ])('%s', async (_, sql, status) => {
    const headers = await bearer();
    expect((await root(headers)).status).toBe(200);
    await change(sql, acme.toolClientId);
    for (let turn = 0; turn < 2; turn += 1) expect((await root(headers)).status).toBe(status);
  });

  it('whose API key has ended', async () => {
    const headers = { apikey: (await app.apiKey(acme, wellKnown.publicAdmin)).value };
    expect((await root(headers)).status).toBe(200);
    await change('UPDATE api_keys SET ended_at = now() WHERE repository_id = $1', acme.id);
    expect((await root(headers)).status).toBe(401);
  });

  it('when the repository has been suspended, not even the Visitor', async () => {
    const visit = () => root({}).then(({ status }) => status);
    expect([await visit(), await visit()]).toEqual([404, 404]);
    await change('UPDATE repositories SET suspended_at = now() WHERE id = $1', acme.id);
    expect(await visit()).toBe(403);
  });
});

describe('what changes something', () => {
  it('waits for the check, whoever read with the same credential before', async () => {
    const headers = await bearer();
    const alive = { apikey: (await app.apiKey(acme, wellKnown.publicAdmin)).value };
    const send = (method: string, path: string, who: Record<string, string>, body?: object) =>
      app.call(acme, path, { method, headers: who, ...(body ? { body: JSON.stringify(body) } : {}) });
    const folder = (name: string) => `/Root/Content('${name}')`;
    for (const Name of ['one', 'other']) await send('POST', '/Root/Content', headers, { __ContentType: 'Folder', Name });
    expect((await send('GET', folder('one'), headers)).status).toBe(200);
    await change(`UPDATE secret_versions SET ended_at = now() WHERE client_id = $1`, acme.toolClientId);
    expect((await send('PATCH', folder('one'), headers, { Description: 'dead' })).status).toBe(401);
    // Had it been begun, it would be done before this.
    expect((await send('PATCH', folder('other'), alive, { Description: 'alive' })).status).toBe(200);
    const { rows } = await change(
      `SELECT name, fields ->> 'Description' AS description FROM content_nodes WHERE repository_id = $1 AND name IN ('one', 'other') ORDER BY name`,
      acme.id,
    );
    expect(rows).toEqual([
      { name: 'one', description: null },
      { name: 'other', description: 'alive' },
    ]);
  });
});

describe('a GET', () => {
  it('cannot write, whatever it would carry out', async () => {
    const get = new ContentRequest(app.database, { repository: acme, method: 'GET' } as never);
    await expect(get.write((tx) => tx.query('SELECT 1'))).rejects.toThrow('A GET changes nothing');
  });
});

describe('nothing but the check is asked for', () => {
  /** The least of several, since what a plan allows is read again now and then. */
  const leastOf = async (headers: Record<string, string>, status: number) => {
    const statements: number[] = [];
    for (let turn = 0; turn < 3; turn += 1) {
      await settle();
      statements.push((await costOf(async () => expect((await root(headers)).status).toBe(status))).statements);
    }
    return Math.min(...statements);
  };

  it('by a credential that has been refused before', async () => {
    const headers = await bearer();
    await root(headers);
    await change(`UPDATE secret_versions SET ended_at = now() WHERE client_id = $1`, acme.toolClientId);
    await root(headers);
    expect(await leastOf(headers, 401)).toBe(1);
  });

  it('by a credential whose secret has ended, of a file, whose answer would stay open', async () => {
    const headers = await bearer();
    const form = new FormData();
    for (const [name, value] of Object.entries({ ChunkToken: '0*0*False*False', Overwrite: 'true', PropertyName: 'Binary', FileName: 'a' }))
      form.append(name, value);
    form.append('a', new Blob(['bytes']), 'a');
    expect((await app.call(acme, `/Root/('Content')/upload`, { method: 'POST', body: form, headers })).status).toBe(200);
    const file = () => app.call(acme, `/Root/Content('a')/Binary/$value`, { headers });
    expect(await (await file()).text()).toBe('bytes');
    expect((await root(headers)).status).toBe(200);
    await change(`UPDATE secret_versions SET ended_at = now() WHERE client_id = $1`, acme.toolClientId);
    await settle();
    expect(await costOf(async () => expect((await file()).status).toBe(401))).toEqual({ statements: 1, roundTrips: 1 });
  });

  it('by a credential that has made as many calls as it may', async () => {
    await change(`UPDATE repositories SET settings = settings || '{"limits": {"requestsPerMinute": 2}}' WHERE id = $1`, acme.id);
    const headers = await bearer();
    const statuses = [];
    for (let turn = 0; turn < 3; turn += 1) statuses.push((await root(headers)).status);
    expect(statuses).toEqual([200, 200, 429]);
    expect(await leastOf(headers, 429)).toBe(1);
  });
});
