import { wellKnown } from '@latchkey/content';
import { RunningApp, type ProvisionedForTest } from './testing/running-app.js';

let app: RunningApp;
let acme: ProvisionedForTest;
let other: ProvisionedForTest;
/** The default tool's: an administrator. */
let tool: string;
/** A person's who is no administrator. */
let anna: string;
let annaId: number;

beforeAll(async () => {
  app = await RunningApp.start();
  acme = await app.provision('acme', ['https://app.acme.example/callback', 'com.acme.app:/callback']);
  other = await app.provision('other');
  annaId = await app.person(acme, 'anna');
});
afterAll(() => app.stop());
beforeEach(async () => {
  tool = await app.token(acme);
  anna = await app.token(acme, { clientId: acme.appClientId, userId: annaId });
});

const get = (path: string, token?: string, headers: Record<string, string> = {}) => app.call(acme, path, { token, headers });
const send = (method: string, path: string, body: string | undefined, token: string | undefined = tool, headers: Record<string, string> = {}) =>
  app.call(acme, path, { method, token, headers, ...(body === undefined ? {} : { body }) });
const dataOf = async (response: Response) => ((await response.json()) as { d: Record<string, unknown> & { results: Record<string, unknown>[] } }).d;
const errorOf = async (response: Response) => ((await response.json()) as { error: { code: string; exceptiontype: string; message: { lang: string; value: string } } }).error;
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
    expect(await dataOf(response)).toEqual({ Id: 2, Path: '/Root', Name: 'Root', Type: 'PortalRoot', DisplayName: 'acme', Description: null, Icon: null });
  });

  it('is found through any spelling of the service token, with a prefix too', async () => {
    for (const path of [`/OData.svc/Root('Content')`, `/ODATA.SVC/Root/('Content')`, `/prefix/odata.svc/Root/('Content')`]) {
      const response = await fetch(`http://127.0.0.1:${app.port}/acme${path}?metadata=no`, { headers: { authorization: `Bearer ${tool}` } });
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
    const minimal = await dataOf(await get(`/content(${String(made['Id'])})?metadata=minimal&$select=CreatedBy/Name,Id&$expand=CreatedBy`, tool));
    expect(minimal).toEqual({ __metadata: { uri: expect.any(String) as string, type: 'Folder' }, Id: made['Id'], CreatedBy: { Name: 'PublicAdmin', __metadata: expect.any(Object) as object } });
    // Anna may see the folder and not the user who made it.
    expect(await dataOf(await get(`/content(${String(made['Id'])})?metadata=no&$select=CreatedBy&$expand=CreatedBy`, anna))).toEqual({ CreatedBy: null });
    expect((await get(`/content(${String(made['Id'])})?$expand=Colour`, tool)).status).toBe(400);
  });

  it.each([`/('Nothing')`, '/content(999999)', '/content(99999999999)', `/Root/IMS/BuiltIn/('Portal')`, `/Root/('%00')`, `/Root/('..')`])('that is not there, or not for the caller, is an empty 404: %s', async (path) => {
    const response = await get(path, anna);
    expect(response.status).toBe(404);
    expect(await response.text()).toBe('');
  });

  it('gives one of its fields, wrapped or bare', async () => {
    expect(await dataOf(await get(`/('Root')/displayname`, tool))).toEqual({ DisplayName: 'acme' });
    expect(await (await get(`/('Root')/DisplayName/$value`, tool)).text()).toBe('acme');
  });
});

describe('a collection', () => {
  it('is listed with its count', async () => {
    const response = await get(`/Root${suffix}`, tool);
    const d = await dataOf(response);
    expect(d['__count']).toBe(2);
    expect(d.results.map(({ Path }) => Path)).toEqual(['/Root/IMS', '/Root/Content']);
    expect(await dataOf(await get('/Root?metadata=no&$select=Name', anna))).toEqual({ __count: 1, results: [{ Name: 'Content' }] });
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
    const filtered = await dataOf(await get(`/Root/Content/Counted?$filter=${encodeURIComponent(`isof('Folder') and Name ne 'a'`)}&$select=Name&metadata=no`, tool));
    expect(filtered.results).toEqual([{ Name: 'b' }, { Name: 'c' }]);
  });

  it('finds the caller by query=', async () => {
    const d = await dataOf(await get('/Root?query=Id:@@CurrentUser.Id@@&$top=1&metadata=no&$inlinecount=allpages', anna));
    expect(d).toMatchObject({ __count: 1, results: [{ Id: annaId, LoginName: 'anna', Type: 'User' }] });
    const users = await dataOf(await get('/Root?query=%2BTypeIs:User%20AND%20InTree:/Root/IMS/Public&metadata=no&$select=Name', tool));
    expect(users.results).toEqual([{ Name: 'anna' }]);
  });

  it.each(['$search=x', '$filter=Name%20eq', '$filter=Colour%20eq%201', '$orderby=Colour', '$top=-1', 'query=Colour:x', 'metadata=some'])('refuses %s and names it', async (query) => {
    const response = await get(`/Root?${query}`, tool);
    expect(response.status).toBe(400);
    const error = await errorOf(response);
    expect(error).toMatchObject({ code: 'RequestError', message: { lang: 'en-us' } });
    expect(error.message.value).toMatch(/search|filter|Colour|top|metadata/);
  });

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

  it('patches, replaces and deletes', async () => {
    const made = await create('/Root/Content', 'Changed', { DisplayName: 'a', Description: 'b' });
    const path = `/content(${String(made['Id'])})`;
    expect(await dataOf(await send('PATCH', path, '{"Description":"c"}'))).toMatchObject({ DisplayName: 'a', Description: 'c' });
    expect(await dataOf(await send('MERGE', path, 'models=[{"Index":5}]'))).toMatchObject({ Description: 'c', Index: 5 });
    expect(await dataOf(await send('PUT', path, '{"DisplayName":"d"}'))).toMatchObject({ DisplayName: 'd', Description: null, Name: 'Changed' });
    const deleted = await send('DELETE', path, undefined);
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
    expect([taken.status, await errorOf(taken)]).toEqual([403, expect.objectContaining({ code: 'ContentAlreadyExists', exceptiontype: 'NodeAlreadyExistsException' })]);
    const forbidden = await send('POST', '/Root/Content', '{"__ContentType":"Folder","Name":"x"}', anna);
    expect([forbidden.status, await errorOf(forbidden)]).toEqual([403, expect.objectContaining({ code: 'Forbidden', exceptiontype: 'SenseNetSecurityException' })]);
    for (const body of ['{', '{"Name":"x"}', '{"__ContentType":"Spaceship"}', '{"__ContentType":"Folder","Colour":"red"}', '{"__ContentType":"Folder","Name":"a/b"}']) {
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
    const schema = (await (await get(`/('Root')/GetSchema`, anna)).json()) as { ContentTypeName: string; FieldSettings: { Name: string }[] }[];
    expect(schema.find(({ ContentTypeName }) => ContentTypeName === 'User')?.FieldSettings.map(({ Name }) => Name)).toEqual(expect.arrayContaining(['Id', 'Name', 'LoginName']));
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
    const response = await send('POST', `/('Root')/DeleteBatch${suffix}`, JSON.stringify({ paths: [a['Path'], b['Id'], '/Root/Content/none', '/Root'], permanent: true }));
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

describe('who is calling', () => {
  const refusal = async (response: Response) => {
    expect(response.status).toBe(401);
    expect(response.headers.get('www-authenticate')).toMatch(/^Bearer realm="http:\/\/localhost:4100\/acme", error="invalid_token"/);
    expect(response.headers.get('cache-control')).toBe('no-store');
    return (await errorOf(response)).message.value;
  };

  it('is the Visitor without a credential, who sees nothing until something is public', async () => {
    const response = await get('/Root/Content');
    expect([response.status, await response.text(), response.headers.get('cache-control')]).toEqual([404, '', 'no-cache']);
  });

  it('is refused with a credential that is present and bad', async () => {
    const bad: Record<string, string>[] = [{ authorization: 'Bearer nonsense' }, { authorization: 'Basic YTpi' }, { authorization: '' }, { apikey: 'abcd' }, { apikey: '' }];
    for (const headers of bad) {
      await refusal(await get(`/('Root')/GetClientRequestParameters?clientType=spa`, undefined, headers));
    }
    for (const query of ['apikey=abcd', 'apikey=', 'ApiKey=lk_live_ak_x']) await refusal(await get(`/Root/Content?${query}`));
    // A bad bearer token is not made up for by anything else, and a good one is enough.
    await refusal(await get('/Root/Content?apikey=abcd', 'nonsense'));
    expect((await get('/Root/Content?apikey=abcd', tool)).status).toBe(200);
  });

  it('is refused with a token that is not quite right', async () => {
    const past = Math.floor(Date.now() / 1000) - 60;
    const wrongs = [{ exp: past }, { aud: 'http://localhost:4200/other' }, { iss: 'http://localhost:4100/other' }, { sub: 'x' }, { lk: undefined }, { client_id: 'nobody' }];
    for (const claims of wrongs) await refusal(await get('/Root', await app.token(acme, { claims })));
    expect(await refusal(await get('/Root', await app.token(acme, { claims: { exp: past } })))).toContain('expired');
    const [header = '', , signature = ''] = tool.split('.');
    await refusal(await get('/Root', `${header}.${Buffer.from('{"sub":"1"}').toString('base64url')}.${signature}`));
    await refusal(await get('/Root', `${Buffer.from('{"alg":"none","typ":"at+jwt"}').toString('base64url')}.${tool.split('.')[1] ?? ''}.`));
  });

  it('is refused once the secret, the user or the repository has ended', async () => {
    const doomed = await app.provision('doomed');
    const personId = await app.person(doomed, 'bela');
    const [byTool, byPerson] = [await app.token(doomed), await app.token(doomed, { clientId: doomed.appClientId, userId: personId })];
    const status = async (token?: string) => (await app.call(doomed, `/('Root')`, { token })).status;
    const run = (statement: string) => app.test.owner.query(statement, [doomed.id]);
    expect([await status(byTool), await status(byPerson)]).toEqual([200, 200]);
    await run(`UPDATE repository_users SET generation = generation + 1 WHERE repository_id = $1 AND login_name = 'bela'`);
    expect([await status(byTool), await status(byPerson)]).toEqual([200, 401]);
    await run('UPDATE secret_versions SET ended_at = now() WHERE repository_id = $1');
    expect(await status(byTool)).toBe(401);
    await run('UPDATE repositories SET suspended_at = now() WHERE id = $1');
    expect([await status(), await status(await app.token(doomed))]).toEqual([403, 401]);
  });

  it('of another repository is a stranger here: its token, its ids and its paths', async () => {
    const stranger = await app.token(other);
    await refusal(await get('/Root', stranger));
    // Even with everything forged that the token says, but for the signature.
    const claims = { iss: 'http://localhost:4100/acme', aud: 'http://localhost:4200/acme' };
    await refusal(await get('/Root', await app.token(other, { claims })));
    await refusal(await get('/Root', await app.token(acme, { signedBy: other })));
    const mine = await create('/Root/Content', 'Ours');
    for (const path of [`/content(${String(mine['Id'])})`, `/Root/Content/('Ours')`, '/Root/Content/Ours']) {
      expect((await app.call(other, path, { token: stranger })).status).toBe(404);
    }
  });
});

describe('browsers', () => {
  it('may call from the origins of the settings and of the apps, as of now', async () => {
    const preflight = (origin: string) => app.call(acme, `/('Root')`, { method: 'OPTIONS', headers: { origin, 'access-control-request-method': 'PATCH', 'access-control-request-headers': 'authorization' } });
    const allowed = await preflight('https://app.acme.example');
    expect(allowed.status).toBe(204);
    expect(Object.fromEntries(allowed.headers)).toMatchObject({
      'access-control-allow-origin': 'https://app.acme.example',
      'access-control-allow-credentials': 'true',
      'access-control-allow-methods': expect.stringContaining('PATCH') as string,
      'access-control-allow-headers': expect.stringMatching(/Authorization.*Content-Type.*Content-Range.*Content-Disposition.*apikey/) as string,
      vary: 'Origin',
    });
    const strange = 'https://evil.example';
    expect((await preflight(strange)).headers.get('access-control-allow-origin')).toBeNull();
    expect((await preflight('null')).headers.get('access-control-allow-origin')).toBeNull();
    expect((await get(`/('Root')`, tool, { origin: strange })).headers.get('access-control-allow-origin')).toBeNull();
    await app.test.owner.query(`UPDATE repositories SET settings = settings || '{"allowedOrigins":["https://new.example"]}' WHERE id = $1`, [acme.id]);
    expect((await get(`/('Root')`, tool, { origin: 'https://new.example' })).headers.get('access-control-allow-origin')).toBe('https://new.example');
  });

  it('are told what went wrong', async () => {
    const response = await get('/Root', 'nonsense', { origin: 'https://app.acme.example' });
    expect([response.status, response.headers.get('access-control-allow-origin')]).toEqual([401, 'https://app.acme.example']);
  });
});

describe('the wire', () => {
  it('speaks HTTP/1.0, with a body and without', async () => {
    const read = await app.raw(`GET /acme/OData.svc/Root('Content')?metadata=no HTTP/1.0\r\nAuthorization: Bearer ${tool}\r\n\r\n`);
    expect(read).toMatch(/^HTTP\/1\.1 200[\s\S]*"Path":"\/Root\/Content"/);
    const body = 'models=[{"__ContentType":"Folder","Name":"old"}]';
    const written = await app.raw(`POST /acme/OData.svc/Root('Content') HTTP/1.0\r\nAuthorization: Bearer ${tool}\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: ${body.length}\r\n\r\n${body}`);
    expect(written).toMatch(/^HTTP\/1\.1 201/);
  });

  it('takes names with quotes as clients send them', async () => {
    const made = await create('/Root/Content', "O'Brien's file (1).txt");
    const raw = await app.raw(`GET /acme/odata.svc/Root/Content/('O'Brien's%20file%20(1).txt')?metadata=no HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Bearer ${tool}\r\n\r\n`);
    expect(raw).toContain(`"Id":${String(made['Id'])}`);
  });

  it.each(['/acme/odata.svc/%', '/acme/odata.svc/Root/%ff', '/%', `/acme/odata.svc/Root?$filter=%`, '/acme/odata.svc/Root?$filter=Name%20eq%20%27%00%27', '/acme/odata.svc/Root?query=%ff'])('answers %s with 4xx', async (path) => {
    const response = await app.raw(`GET ${path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Bearer ${tool}\r\n\r\n`);
    expect(response).toMatch(/^HTTP\/1\.1 4\d\d/);
  });

  it('has no repository where there is none', async () => {
    for (const path of ['/nobody/odata.svc/Root', '/Acme/odata.svc/Root', '/', '/acme']) {
      const response = await fetch(`http://127.0.0.1:${app.port}${path}`);
      expect(response.status).toBe(404);
    }
  });

  it('says that it is alive and ready, and guards every answer', async () => {
    expect(await (await fetch(`http://127.0.0.1:${app.port}/healthz`)).json()).toEqual({ status: 'ok' });
    const ready = await fetch(`http://127.0.0.1:${app.port}/readyz`);
    expect([ready.status, await ready.json()]).toEqual([200, { ready: true, dependencies: { database: 'ok' } }]);
    const headers = Object.fromEntries((await get(`/('Root')`, tool)).headers);
    expect(headers).toMatchObject({ 'cache-control': 'no-store', 'referrer-policy': 'no-referrer', 'x-content-type-options': 'nosniff', etag: expect.stringMatching(/^"\d+"$/) as string, 'x-request-id': expect.any(String) as string });
  });
});
