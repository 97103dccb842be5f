import { wellKnown } from '@latchkey/content';
import { RunningApp, type ProvisionedForTest } from './testing/running-app.js';

let app: RunningApp;
let acme: ProvisionedForTest;
let tool: string;

beforeAll(async () => {
  app = await RunningApp.start();
  acme = await app.provision('acme');
  tool = await app.token(acme);
});
afterAll(() => app.stop());

const send = (method: string, path: string, body?: unknown, token: string | undefined = tool) =>
  app.call(acme, path, { method, token, ...(body === undefined ? {} : { body: JSON.stringify(body) }) });
const create = async (parent: string, name: string) => {
  const response = await send('POST', parent, { __ContentType: 'Folder', Name: name });
  expect(response.status).toBe(201);
};
const batch = async (name: string, body: object) => {
  const response = await send('POST', `/('Root')/${name}?metadata=no&$top=10000`, body);
  expect(response.status).toBe(200);
  return ((await response.json()) as { d: { __count: number; results: { Path: string }[]; errors: { error: { code: string } }[] } }).d;
};

describe('a batch', () => {
  it('moves and copies each content by itself', async () => {
    for (const name of ['a', 'b', 'to']) await create('/Root/Content', name);
    await create('/Root/Content/a', 'below');
    const paths = ['/Root/Content/a', '/Root/Content/b', '/Root/Content/none', '/Root/IMS', '/Root/Content/to'];
    const copied = await batch('CopyBatch', { paths, targetPath: '/Root/Content/to' });
    expect(copied.results.map(({ Path }) => Path)).toEqual(['/Root/Content/to/a', '/Root/Content/to/b']);
    expect(copied.errors.map(({ error }) => error.code)).toEqual(['ResourceNotFound', 'Forbidden', 'RequestError']);
    const moved = await batch('MoveBatch', { paths, targetPath: '/Root/Content/to' });
    expect(moved).toMatchObject({ __count: 0 });
    expect(moved.errors.map(({ error }) => error.code)).toEqual([
      'ContentAlreadyExists',
      'ContentAlreadyExists',
      'ResourceNotFound',
      'Forbidden',
      'RequestError',
    ]);
    await batch('DeleteBatch', { paths: ['/Root/Content/to/a'] });
    expect(await batch('MoveBatch', { paths: ['/Root/Content/a'], targetPath: '/Root/Content/to' })).toMatchObject({
      results: [{ Path: '/Root/Content/to/a', Name: 'a' }],
    });
    expect((await send('GET', `/Root/Content/to/a('below')`)).status).toBe(200);
  });

  it('gives a copy with a long name a shorter one, by which it is found', async () => {
    const long = `${'y'.repeat(250)}😀${'y'.repeat(3)}`;
    await create('/Root/Content', long);
    const copy = () => batch('CopyBatch', { paths: [`/Root/Content/${long}`], targetPath: '/Root/Content' });
    for (const ending of [' (1)', ' (2)']) {
      const [made] = (await copy()).results;
      expect(made?.Path.endsWith(`yyy${ending}`)).toBe(true);
      const name = encodeURIComponent(String(made?.Path.split('/').at(-1)));
      expect((await send('GET', `/Root/Content('${name}')`)).status).toBe(200);
    }
  });

  it('deletes into the trash, or for good when it says so', async () => {
    for (const name of ['t', 'p']) await create('/Root/Content', name);
    await batch('DeleteBatch', { paths: ['/Root/Content/t'] });
    await batch('DeleteBatch', { paths: ['/Root/Content/p'], permanent: true });
    const trash = (await (await send('GET', '/Root/Trash?metadata=no&$select=DisplayName')).json()) as { d: { results: unknown[] } };
    expect(trash.d.results).toContainEqual({ DisplayName: 't' });
    expect(trash.d.results).not.toContainEqual({ DisplayName: 'p' });
  });
});

describe('a deleted user', () => {
  it('is refused at once, by token and by API key, and has no more than a new sign-in when restored', async () => {
    const annaId = await app.person(acme, 'anna');
    const token = await app.token(acme, { clientId: acme.appClientId, userId: annaId });
    const { value } = await app.apiKey(acme, annaId);
    const byToken = async () => (await send('GET', `/('Root')`, undefined, token)).status;
    const byKey = async () => (await app.call(acme, `/('Root')?apikey=${value}`)).status;
    expect([await byToken(), await byKey()]).toEqual([200, 200]);
    expect((await send('DELETE', `/content(${annaId})`)).status).toBe(200);
    expect([await byToken(), await byKey()]).toEqual([401, 401]);
    expect((await send('DELETE', `/content(${wellKnown.admin})`)).status).toBe(403);
  });
});

describe('one who is changed while somebody deletes them', () => {
  it('is one or the other, and nobody is told of a fault', async () => {
    for (let round = 0; round < 4; round++) {
      const person = `/content(${await app.person(acme, `brief${round}`)})`;
      const change = { Enabled: false, Name: `brief${round}` };
      const calls = [send('PATCH', person, change), send('DELETE', person), send('PATCH', person, change)];
      const [, deleted, ...others] = (await Promise.all(calls)).map(({ status }) => status);
      expect([deleted, others.filter((status) => status >= 500)]).toEqual([200, []]);
    }
  });
});

describe('what refers to each other', () => {
  it('is changed and moved at the same time, and nobody is told of a fault', async () => {
    const definition = { parent: 'Folder', fields: [{ name: 'Nodes', kind: 'Reference', multiple: true }] };
    await send('POST', '/Root/System/Schema/ContentTypes', { __ContentType: 'ContentType', Name: 'Knot', Definition: definition });
    for (const name of ['left', 'right']) await create('/Root/Content', name);
    await create('/Root/Content/left', 'all');
    const made = (name: string) => send('POST', '/Root/Content/left/all', { __ContentType: 'Knot', Name: name });
    const nodes = await Promise.all(['a', 'b', 'c', 'd'].map(async (name) => (await made(name)).json() as Promise<{ d: { Id: number } }>));
    const ids = nodes.map(({ d }) => d.Id);
    for (let round = 0; round < 5; round++) {
      const [from, to] = round % 2 === 0 ? ['left', 'right'] : ['right', 'left'];
      const move = { paths: [`/Root/Content/${from}/all`], targetPath: `/Root/Content/${to}` };
      const calls = [send('POST', `/('Root')/MoveBatch`, move), ...ids.map((id) => send('PATCH', `/content(${id})`, { Nodes: ids }))];
      expect((await Promise.all(calls)).map(({ status }) => status)).toEqual([200, 200, 200, 200, 200]);
    }
  });
});

describe('a name that is made of a display name', () => {
  it('is never cut within a character, so that the next one of it is free', async () => {
    const DisplayName = `${'x'.repeat(99)}😀`;
    const made = async () => {
      const response = await send('POST', '/Root/Content', { __ContentType: 'Folder', DisplayName });
      return ((await response.json()) as { d: { Name: string } }).d.Name;
    };
    expect([await made(), await made()]).toEqual(['x'.repeat(99), `${'x'.repeat(99)} (1)`]);
  });
});

describe('a version that somebody names', () => {
  it('must be the present one, for each content by itself', async () => {
    for (const name of ['v1', 'v2', 'v3', 'there']) await create('/Root/Content', name);
    const changed = await send('PATCH', `/Root/Content('v2')`, { Description: 'changed' });
    expect(changed.status).toBe(200);
    const paths = [{ path: '/Root/Content/v1', version: 1 }, { path: '/Root/Content/v2', version: 1 }, '/Root/Content/v3'];
    const to = '/Root/Content/there';
    const codesOf = async (name: string) => (await batch(name, { paths, targetPath: to })).errors.map(({ error }) => error.code);
    expect(await codesOf('CopyBatch')).toEqual(['VersionMismatch']);
    expect(await codesOf('MoveBatch')).toEqual(['ContentAlreadyExists', 'VersionMismatch', 'ContentAlreadyExists']);
    const gone = await batch('DeleteBatch', { paths });
    expect(gone).toMatchObject({ __count: 2, errors: [{ error: { code: 'VersionMismatch' } }] });
    for (const bad of [[{ path: '/Root/Content/v2', version: 'x' }], [{ version: 1 }], [{ path: {} }], [null], [[]]])
      expect((await send('POST', `/('Root')/DeleteBatch`, { paths: bad })).status).toBe(400);
  });
});

describe('the trash', () => {
  it('is listed, and what was deleted is given back', async () => {
    await create('/Root/Content', 'lost');
    await batch('DeleteBatch', { paths: ['/Root/Content/lost'] });
    const list = async (top: number) =>
      ((await (await send('GET', `/('Root')/GetTrash?$top=${top}`)).json()) as { d: { __count: number; results: { Id: number }[] } }).d;
    const { results } = await list(1);
    expect(results).toMatchObject([{ OriginalPath: '/Root/Content/lost' }]);
    expect(await list(0)).toMatchObject({ __count: 0 });
    expect((await send('POST', `/content(${results[0]?.Id})/Restore`, {})).status).toBe(200);
  });
});
