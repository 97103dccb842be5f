import { wellKnown } from '@latchkey/content';
import { dataOf, errorOf } from './testing/answers.js';
import { RunningApp, type ProvisionedForTest } from './testing/running-app.js';

/** Who may do what, as it is said over HTTP; and what comes back out of the trash. */
let app: RunningApp;
let acme: ProvisionedForTest;
let annaId: number;
let tool: string;
let anna: string;

beforeAll(async () => {
  app = await RunningApp.start();
  acme = await app.provision('acme', ['https://app.example.com/callback']);
  annaId = await app.person(acme, 'anna');
});
afterAll(() => app.stop());
beforeEach(async () => {
  tool = await app.token(acme);
  anna = await app.token(acme, { clientId: acme.appClientId, userId: annaId });
});

const send = (method: string, path: string, body?: object, token: string | undefined = tool) =>
  app.call(acme, path, { method, token, ...(body ? { body: JSON.stringify(body) } : {}) });
let count = 0;
const makeFolder = async () => {
  const made = await send('POST', '/Root/Content', { __ContentType: 'Folder', Name: `f${(count += 1)}` });
  return `/content(${String((await dataOf(made))['Id'])})`;
};

describe('SetPermissions', () => {
  it('gives and takes away, by path and by id, and GetPermissions shows it', async () => {
    const folder = await makeFolder();
    const write = () => send('PATCH', folder, { Description: 'x' }, anna).then(({ status }) => status);
    expect(await write()).toBe(403);
    const given = { r: [{ identity: '/Root/IMS/Public/anna', See: 'allow', Open: 1, Save: 'allow', Delete: 'undefined' }] };
    expect((await send('POST', `${folder}/SetPermissions`, given)).status).toBe(204);
    expect(await write()).toBe(200);
    const shown = (await (await send('GET', `${folder}/GetPermissions`)).json()) as { inherits: boolean; entries: object[] };
    expect(shown.inherits).toBe(true);
    expect(shown.entries).toContainEqual({
      identity: { id: annaId, path: '/Root/IMS/Public/anna', name: 'anna', kind: 'user' },
      from: expect.stringMatching(/^\/Root\/Content\/f/) as string,
      propagates: true,
      permissions: ['See', 'Open', 'Save'],
    });
    expect((await send('POST', `${folder}/SetPermissions`, { r: [{ identity: annaId }] })).status).toBe(204);
    expect(await write()).toBe(403);
  });

  it('makes content public, and hides it by breaking inheritance', async () => {
    const folder = await makeFolder();
    const seenBy = async (token?: string) => (await app.call(acme, folder, { token })).status;
    expect(await seenBy()).toBe(404);
    await send('POST', `${folder}/SetPermissions`, { r: [{ identity: wellKnown.visitor, See: 'allow', Open: 'allow' }] });
    expect(await seenBy()).toBe(200);
    await send('POST', `${folder}/SetPermissions`, { inheritance: 'break', r: [{ identity: wellKnown.everyone }] });
    expect([await seenBy(anna), await seenBy(tool)]).toEqual([404, 200]);
    await send('POST', `${folder}/SetPermissions`, { inheritance: 'unbreak' });
    expect(await seenBy(anna)).toBe(200);
  });

  it.each([
    [{}, /r or inheritance/],
    [{ r: 'x' }, /list/],
    [{ r: [5] }, /object/],
    [{ r: [{ See: 'allow' }] }, /identity/],
    [{ r: [{ identity: '/Root/Content', See: 'allow' }] }, /neither a user nor a group/],
    [{ r: [{ identity: 12, See: 'deny' }] }, /no denying/],
    [{ r: [{ identity: 12, Fly: 'allow' }] }, /fly/],
    [{ inheritance: 'maybe' }, /inheritance/],
  ])('refuses %j in words', async (body, words) => {
    const refused = await send('POST', `${await makeFolder()}/SetPermissions`, body);
    expect([refused.status, (await errorOf(refused)).message.value]).toEqual([400, expect.stringMatching(words)]);
  });

  it('is for those who may do everything there, and gives nobody more than there is', async () => {
    const folder = await makeFolder();
    const mine = { r: [{ identity: annaId, See: 'allow', Open: 'allow', Save: 'allow', AddNew: 'allow', Delete: 'allow' }] };
    for (const place of [folder, `/content(${wellKnown.root})`, `/content(${annaId})`])
      expect([place, (await send('POST', `${place}/SetPermissions`, mine, anna)).status]).toEqual([place, 403]);
    expect((await send('GET', `${folder}/GetPermissions`, undefined, anna)).status).toBe(403);
    const reader = await app.token(acme, { scope: 'content:read users:read' });
    expect((await send('POST', `${folder}/SetPermissions`, mine, reader)).headers.get('www-authenticate')).toContain('content:write');
    expect((await send('POST', `${folder}/SetPermissions`, { r: [{ identity: wellKnown.administrators }] })).status).toBe(403);
  });
});

describe('A reference', () => {
  it('shows only what the reader may see, from both ends, and nothing of a content that the reader may not open', async () => {
    const definition = { parent: 'Folder', fields: [{ name: 'Parts', kind: 'Reference', multiple: true }] };
    const type = { __ContentType: 'ContentType', Name: 'Car', Definition: definition };
    expect((await send('POST', '/Root/System/Schema/ContentTypes', type)).status).toBe(201);
    const make = async (name: string, fields: object) => dataOf(await send('POST', '/Root/Content', { Name: name, ...fields }));
    const [wheel, secret] = [await make('wheel', { __ContentType: 'Folder' }), await make('secret', { __ContentType: 'Folder' })];
    const car = await make('car', { __ContentType: 'Car', Parts: [secret['Id'], wheel['Id']] });
    const van = await make('van', { __ContentType: 'Car', Parts: [wheel['Id']] });
    await send('POST', `/content(${String(secret['Id'])})/SetPermissions`, { inheritance: 'break', r: [{ identity: wellKnown.everyone }] });
    const onlySee = { inheritance: 'break', r: [{ identity: wellKnown.everyone }, { identity: annaId, See: 'allow' }] };
    await send('POST', `/content(${String(van['Id'])})/SetPermissions`, onlySee);

    const partsOf = async ({ Id }: Record<string, unknown>, token: string) => {
      const shown = await dataOf(
        await send('GET', `/content(${String(Id)})?$expand=Parts&$select=Parts/Name&metadata=no`, undefined, token),
      );
      return ((shown['Parts'] ?? []) as { Name: string }[]).map(({ Name }) => Name);
    };
    expect([await partsOf(car, tool), await partsOf(van, tool)]).toEqual([['secret', 'wheel'], ['wheel']]);
    expect([await partsOf(car, anna), await partsOf(van, anna)]).toEqual([['wheel'], []]);

    const referring = async ({ Id }: Record<string, unknown>, token: string) => {
      const filter = encodeURIComponent(`Parts/Id eq ${String(Id)}`);
      const { results } = await dataOf(
        await send('GET', `/Root/Content?$filter=${filter}&$select=Name&$orderby=Name&metadata=no`, undefined, token),
      );
      return results.map(({ Name }) => Name);
    };
    expect([await referring(wheel, tool), await referring(wheel, anna)]).toEqual([['car', 'van'], ['car']]);
    expect((await send('GET', `/content(${String(van['Id'])})?$select=Name`, undefined, anna)).status).toBe(200);
  });
});

describe('References into each other', () => {
  it('are written at the same time, and expanded as long as the answer can be held', async () => {
    const definition = { parent: 'Folder', fields: [{ name: 'Nodes', kind: 'Reference', multiple: true }] };
    await send('POST', '/Root/System/Schema/ContentTypes', { __ContentType: 'ContentType', Name: 'Knot', Definition: definition });
    const ids: number[] = [];
    for (let number = 0; number < 23; number++)
      ids.push(Number((await dataOf(await send('POST', '/Root/Content', { __ContentType: 'Knot', Nodes: ids })))['Id']));
    const changed = await Promise.all(ids.map((id) => send('PATCH', `/content(${id})`, { Nodes: ids })));
    expect(new Set(changed.map(({ status }) => status))).toEqual(new Set([200]));
    const expand = (path: string) => send('GET', `/content(${ids[0]})?$expand=${path}&$select=Id&metadata=no`);
    expect((await expand('Nodes/Nodes/Nodes')).status).toBe(200);
    const refused = await expand('Nodes/Nodes/Nodes/Nodes');
    expect([refused.status, (await errorOf(refused)).message.value]).toEqual([400, expect.stringContaining('$expand')]);
  });
});

describe('A content that may be seen and not opened', () => {
  it('is not found, sorted or told by what is in it: neither who made it, nor when, nor how often it changed', async () => {
    const folder = await makeFolder();
    for (const Name of ['one', 'two']) await send('POST', folder, { __ContentType: 'Folder', Name });
    const onlySee = { inheritance: 'break', r: [{ identity: wellKnown.everyone }, { identity: annaId, See: 'allow' }] };
    await send('POST', `${folder}/SetPermissions`, onlySee);
    const path = String((await dataOf(await send('GET', folder)))['Path']);
    const found = async (filter: string, token: string) =>
      Number(await (await send('GET', `${path}/$count?$filter=${encodeURIComponent(filter)}`, undefined, token)).text());
    for (const filter of [
      'Version eq 1',
      'Version ne null',
      'CreatedById gt 0',
      'CreatedBy/Id ne null',
      `ModifiedBy/Id eq ${wellKnown.publicAdmin}`,
      'CreationDate gt 2000-01-01',
      'year(ModificationDate) gt 2000',
    ])
      expect([filter, await found(filter, tool), await found(filter, anna)]).toEqual([filter, 2, 0]);
    expect(await found(`not (CreatedBy/Id eq ${wellKnown.publicAdmin})`, anna)).toBe(2);
    const sorted = await send('GET', `${path}?$orderby=CreationDate,ModifiedById,Name desc&$top=1`, undefined, anna);
    const { results, __next: next } = await dataOf(sorted);
    const [, token = ''] = /skiptoken=([\w-]+)/.exec(String(next)) ?? [];
    expect(JSON.parse(Buffer.from(token, 'base64url').toString())).toEqual([results[0]?.['Id'], null, null, 'two']);
    const rest = await dataOf(await send('GET', String(next).replace('/acme/odata.svc', ''), undefined, anna));
    expect(rest.results.map(({ Name }) => Name)).toEqual(['one']);
  });
});

describe('Restore', () => {
  it('brings back what was deleted, to where it was', async () => {
    const folder = await makeFolder();
    const { Path } = await dataOf(await send('GET', folder));
    expect((await send('DELETE', folder)).status).toBe(200);
    expect((await send('GET', `/Root/Content/('${String(Path).split('/').at(-1)}')`)).status).toBe(404);
    expect(await dataOf(await send('POST', `${folder}/Restore?$select=Path&metadata=no`))).toEqual({ Path });
    expect((await send('GET', `/Root/Content/('${String(Path).split('/').at(-1)}')`)).status).toBe(200);
  });
});
