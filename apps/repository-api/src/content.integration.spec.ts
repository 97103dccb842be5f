import { wellKnown } from '@latchkey/content';
import { dataOf, errorOf } from './testing/answers.js';
import { RunningApp, type ProvisionedForTest } from './testing/running-app.js';

let app: RunningApp;
let acme: ProvisionedForTest;
/** The default tool's: an administrator. */
let tool: string;
/** A person's who is no administrator. */
let anna: string;
let annaId: number;

beforeAll(async () => {
  app = await RunningApp.start();
  acme = await app.provision('acme');
  annaId = await app.person(acme, 'anna');
});
afterAll(() => app.stop());
beforeEach(async () => {
  tool = await app.token(acme);
  anna = await app.token(acme, { clientId: acme.appClientId, userId: annaId });
});

const get = (path: string, token?: string, headers: Record<string, string> = {}) => app.call(acme, path, { token, headers });
const send = (
  method: string,
  path: string,
  body: string | undefined,
  token: string | undefined = tool,
  headers: Record<string, string> = {},
) => app.call(acme, path, { method, token, headers, ...(body === undefined ? {} : { body }) });
const create = async (parent: string, name: string, fields: object = {}) => {
  const response = await send('POST', parent, JSON.stringify({ __ContentType: 'Folder', Name: name, ...fields }));
  expect(response.status).toBe(201);
  return dataOf(response);
};
const suffix = '?$select=Id%2CPath%2CName%2CType%2CDisplayName%2CDescription%2CIcon&metadata=no&$inlinecount=allpages&$top=10000';

describe('an entity', () => {
  it.each([`/('Root')`, `('Root')`, '/content(2)', '/Content(2)'])('is found at %s', async (spelling) => {
    const response = await get(`${spelling}${suffix}`, tool);
    expect(response.status).toBe(200);
    expect(response.headers.get('content-type')).toBe('application/json;odata=verbose;charset=utf-8');
    expect(await dataOf(response)).toEqual({
      Id: 2,
      Path: '/Root',
      Name: 'Root',
      Type: 'PortalRoot',
      DisplayName: 'acme',
      Description: null,
      Icon: null,
    });
  });

  it('is found through any spelling of the service token, with a prefix too', async () => {
    for (const path of [`/OData.svc/Root('Content')`, `/ODATA.SVC/Root/('Content')`, `/prefix/odata.svc/Root/('Content')`]) {
      const response = await fetch(`http://127.0.0.1:${app.port}/acme${path}?metadata=no`, {
        headers: { authorization: `Bearer ${tool}` },
      });
      expect(await dataOf(response)).toMatchObject({ Id: wellKnown.content });
    }
  });

  it('says who made it, where it is and what can be expanded', async () => {
    const made = await create('/Root/Content', 'Described');
    const full = await dataOf(await get(`/content(${String(made['Id'])})`, tool));
    expect(full).toMatchObject({
      __metadata: { uri: `/acme/odata.svc/Root/Content('Described')`, type: 'Folder', actions: [], functions: [] },
      CreatedById: wellKnown.publicAdmin,
      CreatedBy: { __deferred: { uri: `/acme/odata.svc/Root/Content('Described')/CreatedBy` } },
      IsFolder: true,
      Version: 1,
    });
    const minimal = await dataOf(
      await get(`/content(${String(made['Id'])})?metadata=minimal&$select=CreatedBy/Name,Id&$expand=CreatedBy`, tool),
    );
    expect(minimal).toEqual({
      __metadata: { uri: expect.any(String) as string, type: 'Folder' },
      Id: made['Id'],
      CreatedBy: { Name: 'PublicAdmin', __metadata: expect.any(Object) as object },
    });
    // Anna may see the folder and not the user who made it.
    expect(await dataOf(await get(`/content(${String(made['Id'])})?metadata=no&$select=CreatedBy&$expand=CreatedBy`, anna))).toEqual({
      CreatedBy: null,
    });
    expect((await get(`/content(${String(made['Id'])})?$expand=Colour`, tool)).status).toBe(400);
  });

  it.each([`/('Nothing')`, '/content(999999)', '/content(99999999999)', `/Root/IMS/BuiltIn/('Portal')`, `/Root/('%00')`, `/Root/('..')`])(
    'that is not there, or not for the caller, is an empty 404: %s',
    async (path) => {
      const response = await get(path, anna);
      expect(response.status).toBe(404);
      expect(await response.text()).toBe('');
    },
  );

  it('gives one of its fields, wrapped or bare', async () => {
    expect(await dataOf(await get(`/('Root')/displayname`, tool))).toEqual({ DisplayName: 'acme' });
    expect(await (await get(`/('Root')/DisplayName/$value`, tool)).text()).toBe('acme');
  });
});

describe('a collection', () => {
  it('is listed with its count', async () => {
    const response = await get(`/Root${suffix}`, tool);
    const d = await dataOf(response);
    expect(d['__count']).toBe(4);
    expect(d.results.map(({ Path }) => Path)).toEqual(['/Root/IMS', '/Root/Content', '/Root/System', '/Root/Trash']);
    expect(await dataOf(await get('/Root?metadata=no&$select=Name', anna))).toEqual({
      __count: 2,
      results: [{ Name: 'Content' }, { Name: 'Trash' }],
    });
  });

  it('counts the page, or everything when asked to', async () => {
    await create('/Root/Content', 'Counted');
    for (const name of ['a', 'b', 'c']) await create('/Root/Content/Counted', name);
    const count = async (query: string) => (await dataOf(await get(`/Root/Content/Counted?${query}`, tool)))['__count'];
    expect(await count('$top=2')).toBe(2);
    for (const asked of ['$inlinecount=allpages', '$count=true']) {
      for (const page of ['$top=2', '$top=2&$skip=2', '$top=0', '$skip=5', '$top=10']) expect(await count(`${page}&${asked}`)).toBe(3);
    }
    const bare = await get(`/Root/Content/Counted/$count${suffix}`, tool);
    expect(await bare.text()).toBe('3');
    const ordered = await dataOf(await get(`/Root/Content/Counted?$orderby=Name desc&$select=Name&metadata=no&$top=2`, tool));
    expect(ordered.results).toEqual([{ Name: 'c' }, { Name: 'b' }]);
    const filtered = await dataOf(
      await get(`/Root/Content/Counted?$filter=${encodeURIComponent(`isof('Folder') and Name ne 'a'`)}&$select=Name&metadata=no`, tool),
    );
    expect(filtered.results).toEqual([{ Name: 'b' }, { Name: 'c' }]);
  });

  it.each(['', '&$orderby=Index desc,Description', '&$orderby=Description desc,Name', '&$orderby=CreationDate'])(
    'leads from page to page while others write, and misses and repeats nothing: %s',
    async (order) => {
      const folder = `Paged${order.length}`;
      await create('/Root/Content', folder);
      for (let n = 0; n < 7; n += 1)
        await create(`/Root/Content/${folder}`, `n${n}`, n % 3 === 0 ? {} : { Index: n % 2, Description: `d${n % 3}` });
      const names: string[] = [];
      let next: string | undefined = `/Root/Content/${folder}?metadata=no&$select=Name&$top=2&apikey=x${order}`;
      while (next !== undefined) {
        const d = await dataOf(await get(next, tool));
        names.push(...d.results.map(({ Name }) => String(Name)));
        // What was on the page goes: by position, as many as it had would be missed.
        await send('DELETE', `/Root/Content/${folder}('${String(d.results[0]?.['Name'])}')?permanent=true`, undefined);
        const following = d['__next'] as string | undefined;
        expect(following ?? '').not.toContain('apikey');
        next = following?.slice('/acme/odata.svc'.length);
        expect(names.length).toBeLessThan(10);
      }
      expect(names.toSorted((a, b) => a.localeCompare(b))).toEqual(['n0', 'n1', 'n2', 'n3', 'n4', 'n5', 'n6']);
    },
  );

  it('finds the caller by query=', async () => {
    const d = await dataOf(await get('/Root?query=Id:@@CurrentUser.Id@@&$top=1&metadata=no&$inlinecount=allpages', anna));
    expect(d).toMatchObject({ __count: 1, results: [{ Id: annaId, LoginName: 'anna', Type: 'User' }] });
    const users = await dataOf(await get('/Root?query=%2BTypeIs:User%20AND%20InTree:/Root/IMS/Public&metadata=no&$select=Name', tool));
    expect(users.results).toEqual([{ Name: 'anna' }]);
  });

  it.each(['$search=x', '$filter=Name%20eq', '$filter=Colour%20eq%201', '$orderby=Colour', '$top=-1', 'query=Colour:x', 'metadata=some'])(
    'refuses %s and names it',
    async (query) => {
      const response = await get(`/Root?${query}`, tool);
      expect(response.status).toBe(400);
      const error = await errorOf(response);
      expect(error).toMatchObject({ code: 'RequestError', message: { lang: 'en-us' } });
      expect(error.message.value).toMatch(/search|filter|Colour|top|metadata/);
    },
  );

  it('that is not for the caller is an empty 404, and so is its count', async () => {
    for (const path of ['/Root/IMS', '/Root/IMS/$count', '/Root/Nothing']) {
      const response = await get(path, anna);
      expect([response.status, await response.text()]).toEqual([404, '']);
    }
  });
});

describe('changing content', () => {
  it.each([
    ['JSON as text/plain', '{"__ContentType":"Folder","Name":"p1","Description":"d"}', 'text/plain;charset=UTF-8'],
    ['JSON of a type that is nonsense', '{"__ContentType":"Folder","Name":"p2","Description":"d"}', 'nonsense'],
    ['JSON as it should be', '{"__ContentType":"Folder","Name":"p3","Description":"d"}', 'application/json'],
    ['models=', 'models=[{"__ContentType":"Folder","Name":"p4","Description":"d"}]', 'text/plain'],
    ['a form', '__ContentType=Folder&Name=p5&Description=d', 'application/x-www-form-urlencoded'],
  ])('takes %s', async (_, body, type) => {
    const response = await send('POST', `/Root/Content${suffix}`, body, tool, { 'content-type': type });
    expect(response.status).toBe(201);
    expect(await dataOf(response)).toMatchObject({ Description: 'd', Type: 'Folder' });
  });

  it('takes an entity for the parent too, as .NET sends it', async () => {
    const response = await send('POST', `/Root('Content')?metadata=no`, 'models=[{"__ContentType":"Folder","Name":"dotnet"}]');
    expect(await dataOf(response)).toMatchObject({ Path: '/Root/Content/dotnet' });
  });

  it.each(['upload', '$value'])('takes and changes content that is called %s', async (name) => {
    await create('/Root/Content', name);
    await create(`/Root/Content/${name}`, 'below');
    const changed = await send('PUT', `/Root/Content/${name}`, '{"Description":"kept"}');
    expect([changed.status, (await dataOf(changed))['Description']]).toEqual([200, 'kept']);
  });

  it('patches, replaces and deletes', async () => {
    const made = await create('/Root/Content', 'Changed', { DisplayName: 'a', Description: 'b' });
    const path = `/content(${String(made['Id'])})`;
    expect(await dataOf(await send('PATCH', path, '{"Description":"c"}'))).toMatchObject({ DisplayName: 'a', Description: 'c' });
    expect(await dataOf(await send('MERGE', path, 'models=[{"Index":5}]'))).toMatchObject({ Description: 'c', Index: 5 });
    expect(await dataOf(await send('PUT', path, '{"DisplayName":"d"}'))).toMatchObject({
      DisplayName: 'd',
      Description: null,
      Name: 'Changed',
    });
    const deleted = await send('DELETE', `${path}?permanent=true`, undefined);
    expect([deleted.status, await deleted.text()]).toEqual([200, '']);
    expect((await get(path, tool)).status).toBe(404);
  });

  it('is refused when someone else was faster', async () => {
    const made = await create('/Root/Content', 'Raced');
    const path = `/content(${String(made['Id'])})`;
    const tag = (await get(path, tool)).headers.get('etag') ?? '';
    expect((await send('PATCH', path, '{}', tool, { 'if-match': tag })).status).toBe(200);
    for (const method of ['PATCH', 'PUT', 'DELETE']) {
      const late = await send(method, path, '{}', tool, { 'if-match': tag });
      expect(late.status).toBe(412);
      expect(await errorOf(late)).toMatchObject({ code: 'VersionMismatch' });
    }
    expect((await send('DELETE', path, undefined, tool, { 'if-match': '*' })).status).toBe(200);
  });

  it('is refused in words', async () => {
    await create('/Root/Content', 'Taken');
    const taken = await send('POST', '/Root/Content', '{"__ContentType":"Folder","Name":"taken"}');
    expect([taken.status, await errorOf(taken)]).toEqual([
      403,
      expect.objectContaining({ code: 'ContentAlreadyExists', exceptiontype: 'NodeAlreadyExistsException' }),
    ]);
    const forbidden = await send('POST', '/Root/Content', '{"__ContentType":"Folder","Name":"x"}', anna);
    expect([forbidden.status, await errorOf(forbidden)]).toEqual([
      403,
      expect.objectContaining({ code: 'Forbidden', exceptiontype: 'SenseNetSecurityException' }),
    ]);
    for (const body of [
      '{',
      '{"Name":"x"}',
      '{"__ContentType":"Spaceship"}',
      '{"__ContentType":"Folder","Colour":"red"}',
      '{"__ContentType":"Folder","Name":"a/b"}',
    ]) {
      expect((await send('POST', '/Root/Content', body)).status).toBe(400);
    }
    const large = await send('POST', '/Root/Content', 'x'.repeat(3 * 1024 * 1024));
    expect([large.status, (await errorOf(large)).code]).toEqual([413, 'RequestTooLarge']);
  });

  it('needs a credential whose scope allows it, and says which', async () => {
    const reader = await app.token(acme, { scope: 'content:read' });
    expect((await get('/Root/Content', reader)).status).toBe(200);
    const refused = await send('POST', '/Root/Content', '{"__ContentType":"Folder"}', reader);
    expect(refused.status).toBe(403);
    expect(refused.headers.get('www-authenticate')).toMatch(/error="insufficient_scope".*scope="content:write"/);
    const nothing = await app.token(acme, { scope: 'openid profile' });
    const blind = await get('/Root/Content', nothing);
    expect([blind.status, blind.headers.get('www-authenticate')]).toEqual([403, expect.stringContaining('scope="content:read"')]);
    expect(await dataOf(await get(`/('Root')/GetCurrentUser`, nothing))).toMatchObject({ Id: wellKnown.publicAdmin });
  });
});

describe('operations', () => {
  it('tell who is calling', async () => {
    expect(await dataOf(await get(`/('Root')/GetCurrentUser${suffix}`, tool))).toMatchObject({ Id: 12, Name: 'PublicAdmin' });
    expect(await dataOf(await get(`/('Root')/getcurrentuser`, anna))).toMatchObject({ Id: annaId, Domain: 'public', LoginName: 'anna' });
    expect(await dataOf(await get(`/('Root')/GetCurrentUser`))).toMatchObject({ Id: wellKnown.visitor });
  });

  it('tell anyone where to sign in, and as which client', async () => {
    const ask = async (type: string) => (await get(`/('Root')/GetClientRequestParameters?clientType=${type}&metadata=no`)).json();
    const authority = 'http://localhost:4100/acme';
    expect(await ask('spa')).toEqual({ authority, type: 'IdentityServer', client_id: acme.appClientId });
    expect(await ask('adminui')).toEqual({ authority, type: 'IdentityServer', client_id: acme.appClientId });
    expect(await ask('client')).toEqual({ authority, type: 'IdentityServer', client_id: acme.toolClientId });
    for (const type of ['nothing', '', 'constructor']) expect(await ask(type)).toEqual({});
  });

  it('tell the schema, the type of the repository and what can be done', async () => {
    const schema = (await (await get(`/('Root')/GetSchema`, anna)).json()) as {
      ContentTypeName: string;
      FieldSettings: { Name: string }[];
    }[];
    expect(schema.find(({ ContentTypeName }) => ContentTypeName === 'User')?.FieldSettings.map(({ Name }) => Name)).toEqual(
      expect.arrayContaining(['Id', 'Name', 'LoginName']),
    );
    expect(await (await get(`/('Root')/GetRepositoryType`)).json()).toHaveProperty('name');
    expect((await dataOf(await get(`/Root/('Content')/Actions?scenario=ContextMenu`, anna))).results).toMatchObject([{ Name: 'Browse' }]);
    expect((await dataOf(await get(`/Root/('Content')/Actions`, tool))).results).toHaveLength(4);
  });

  it('tell whether someone has a permission', async () => {
    const ask = async (query: string, token: string) => (await get(`/Root/('Content')/HasPermission?${query}`, token)).text();
    expect(await ask('permissions=See,Open', anna)).toBe('true');
    expect(await ask('permissions=Open,Save', anna)).toBe('false');
    expect(await ask('permissions=Open,Save&identity=/Root/IMS/Public/anna', tool)).toBe('false');
    expect(await ask('permissions=Delete&identity=/Root/IMS/BuiltIn/Portal/Administrators', tool)).toBe('true');
    expect((await get(`/Root/('Content')/HasPermission?permissions=Fly`, tool)).status).toBe(400);
  });

  it('delete several contents, each by itself', async () => {
    const [a, b] = [await create('/Root/Content', 'batch-a'), await create('/Root/Content', 'batch-b')];
    const response = await send(
      'POST',
      `/('Root')/DeleteBatch${suffix}`,
      JSON.stringify({ paths: [a['Path'], b['Id'], '/Root/Content/none', '/Root'], permanent: true }),
    );
    const d = await dataOf(response);
    expect(d).toMatchObject({
      __count: 2,
      results: [{ Id: a['Id'], Path: a['Path'], Name: 'batch-a' }, { Id: b['Id'] }],
      errors: [
        { content: { Path: '/Root/Content/none', Name: 'none' }, error: { code: 'ResourceNotFound', message: { lang: 'en-us' } } },
        { content: { Path: '/Root' }, error: { code: 'Forbidden' } },
      ],
    });
  });

  it('that are not there, or called the wrong way, are told apart', async () => {
    const unknown = await get(`/('Root')/Fly?x=1`, tool);
    expect([unknown.status, await errorOf(unknown)]).toEqual([404, expect.objectContaining({ code: 'UnknownAction' })]);
    expect((await send('POST', `/('Root')/Fly`, '')).status).toBe(404);
    const wrong = await get(`/('Root')/DeleteBatch`, tool);
    expect([wrong.status, wrong.headers.get('allow')]).toEqual([405, 'POST']);
    expect((await send('POST', `/('Root')/GetCurrentUser`, undefined)).status).toBe(200);
  });
});
