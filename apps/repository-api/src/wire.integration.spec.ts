import { request as send, type IncomingHttpHeaders } from 'node:http';
import { wellKnown } from '@latchkey/content';
import { RunningApp, type ProvisionedForTest } from './testing/running-app.js';

/*
 * The requests that existing clients send, byte by byte, and the answers that they need. Nothing in between: `node:http` and
 * sockets.
 */
let app: RunningApp;
let acme: ProvisionedForTest;
/** The default tool's: an administrator. */
let tool: string;

beforeAll(async () => {
  app = await RunningApp.start();
  acme = await app.provision('acme', ['https://app.example.com/callback']);
  await app.person(acme, 'User1');
  tool = await app.token(acme);
  await post('/odata.svc/Root/Content', '{"__ContentType":"Folder","Name":"IT","DisplayName":"IT"}');
});
afterAll(() => app.stop());

interface Received {
  status: number;
  headers: IncomingHttpHeaders;
  text: string;
}

/** Sends the path as it is: nothing encodes or shortens it. */
function call(
  method: string,
  path: string,
  options: { body?: string; headers?: Record<string, string | undefined> } = {},
): Promise<Received> {
  return new Promise((resolve, reject) => {
    const wished = { authorization: `Bearer ${tool}`, ...options.headers };
    const headers = Object.fromEntries(Object.entries(wished).flatMap(([name, value]) => (value === undefined ? [] : [[name, value]])));
    const sent = send({ host: '127.0.0.1', port: app.port, method, path: `/acme${path}`, headers }, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
      response.on('end', () => resolve({ status: response.statusCode ?? 0, headers: response.headers, text }));
    });
    sent.on('error', reject);
    sent.end(options.body);
  });
}
/** As fetch sends a text: the JavaScript client sets no type. */
const post = (path: string, body?: string, method = 'POST') =>
  call(method, path, body === undefined ? {} : { body, headers: { 'content-type': 'text/plain;charset=UTF-8' } });
const json = ({ text }: Received) => JSON.parse(text) as never;

const odataJson = 'application/json;odata=verbose;charset=utf-8';
const select = '?$select=Id%2CPath%2CName%2CType%2CDisplayName%2CDescription%2CIcon&metadata=no&$inlinecount=allpages&$top=10000';
const ofIt = { Path: '/Root/Content/IT', Name: 'IT', Type: 'Folder', DisplayName: 'IT', Description: null, Icon: null };

describe('reading, as the JavaScript client does', () => {
  it.each([
    `/odata.svc/Root/Content/('IT')`,
    `/OData.svc/Root/Content('IT')`,
    `/ODATA.SVC/root/content/('it')`,
    `/x/y/odata.svc/Root/Content('IT')`,
  ])('loads %s', async (path) => {
    const { status, headers, text } = await call('GET', `${path}${select}`);
    expect([status, headers['content-type'], headers['etag']]).toEqual([200, odataJson, '"1"']);
    expect(JSON.parse(text)).toEqual({ d: { Id: expect.any(Number) as number, ...ofIt } });
  });

  it('loads by id, the root and the service document', async () => {
    expect(json(await call('GET', `/odata.svc/content(2)${select}`))).toMatchObject({ d: { Id: 2, Path: '/Root', Type: 'PortalRoot' } });
    expect(json(await call('GET', `/odata.svc/('Root')${select}`))).toMatchObject({ d: { Id: 2 } });
    expect(json(await call('GET', '/odata.svc'))).toEqual({ d: { EntitySets: ['Root'] } });
  });

  it('says everything about a content when nothing is selected', async () => {
    const full = await call('GET', `/odata.svc/Root/Content('IT')?$expand=CreatedBy&metadata=full&$inlinecount=allpages&$top=10000`);
    expect(json(full)).toMatchObject({
      d: {
        __metadata: { uri: `/acme/odata.svc/Root/Content('IT')`, type: 'Folder', actions: [], functions: [] },
        CreatedBy: { Id: wellKnown.publicAdmin, __metadata: expect.any(Object) as object },
        ModifiedBy: { __deferred: { uri: `/acme/odata.svc/Root/Content('IT')/ModifiedBy` } },
        CreationDate: expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/) as string,
      },
    });
    expect(json(await call('GET', `/odata.svc/Root/Content('IT')?metadata=no&$select=Id`))).toEqual({
      d: { Id: expect.any(Number) as number },
    });
  });

  it('lists, with the total or the page counted, and counts', async () => {
    const query = `&query=TypeIs%3AFolder&$filter=isof('Folder')&$orderby=CreationDate%20desc%2CName&enableautofilters=true&enablelifespanfilter=false`;
    const listed = await call('GET', `/odata.svc/Root/Content${select}${query}`);
    expect(json(listed)).toEqual({ d: { __count: 1, results: [{ Id: expect.any(Number) as number, ...ofIt }] } });
    expect(json(await call('GET', '/odata.svc/Root?$top=1&metadata=no&$select=Name'))).toEqual({
      d: { __count: 1, results: [{ Name: 'IMS' }], __next: expect.stringContaining('$skiptoken=') as string },
    });
    expect(json(await call('GET', '/odata.svc/Root?$top=1&metadata=no&$select=Name&$inlinecount=allpages'))).toMatchObject({
      d: { __count: 4 },
    });
    const counted = await call('GET', `/odata.svc/Root/$count${select}`);
    expect([counted.status, counted.text]).toEqual([200, '4']);
  });

  it('finds the caller as the forms client does', async () => {
    const found = await call('GET', '/odata.svc/Root?query=Id:@@CurrentUser.Id@@&$top=1&metadata=no&$inlinecount=allpages');
    expect(json(found)).toMatchObject({ d: { __count: 1, results: [{ Id: wellKnown.publicAdmin, Name: 'PublicAdmin' }] } });
  });

  it('gives one field, and the metadata, as text', async () => {
    const field = await call('GET', `/odata.svc/Root/Content/('IT')/DisplayName/$value`);
    expect([field.text, field.headers['content-type']]).toEqual(['IT', 'text/plain;charset=utf-8']);
    for (const path of ['/odata.svc/$metadata', `/odata.svc/Root/Content/('IT')/$metadata`]) {
      const xml = await call('GET', path);
      expect([xml.headers['content-type'], xml.text]).toEqual([
        'application/xml;charset=utf-8',
        expect.stringContaining('<EntityType Name="Folder"'),
      ]);
      expect(json(await call('GET', `${path}?$format=json`))).toHaveProperty('Latchkey.Folder.$BaseType', 'Latchkey.GenericContent');
    }
    expect((await call('GET', '/odata.svc/$metadata?$format=yaml')).status).toBe(400);
  });

  it.each([
    `/odata.svc/Root/Content/('none')`,
    '/odata.svc/Root/none',
    '/odata.svc/content(424242)',
    '/odata.svc/Root/none/$count',
    `/odata.svc/Root/none('x')/GetApiKeys`,
  ])('gets an empty 404 for what is not there: %s', async (path) => {
    const { status, headers, text } = await call('GET', path);
    expect([status, text, headers['content-type'], headers['content-length']]).toEqual([404, '', undefined, '0']);
  });
});

describe('writing, as existing clients do', () => {
  it('creates, changes and replaces with JSON that is called text', async () => {
    const made = await post(`/odata.svc/Root/Content${select}`, '{"Name":"A","Description":"d","__ContentType":"Folder"}');
    expect([made.status, json(made)]).toEqual([
      201,
      { d: { Id: expect.any(Number) as number, ...ofIt, Path: '/Root/Content/A', Name: 'A', DisplayName: 'A', Description: 'd' } },
    ]);
    const changed = await post(`/odata.svc/Root/Content/('A')${select}`, '{"DisplayName":"B"}', 'PATCH');
    expect([changed.status, json(changed)]).toEqual([
      200,
      { d: expect.objectContaining({ DisplayName: 'B', Description: 'd' }) as object },
    ]);
    const replaced = await post(`/odata.svc/Root/Content('A')${select}`, '{"DisplayName":"C"}', 'PUT');
    expect(json(replaced)).toMatchObject({ d: { DisplayName: 'C', Description: null } });
    const deleted = await call('DELETE', `/odata.svc/Root/Content('A')?permanent=true`);
    expect([deleted.status, deleted.text]).toEqual([200, '']);
  });

  it('finds a name that nobody has quoted', async () => {
    const name = `O'Brien's file (1).txt`;
    expect((await post('/odata.svc/Root/Content', JSON.stringify({ Name: name, __ContentType: 'Folder' }))).status).toBe(201);
    for (const path of [
      `/odata.svc/Root/Content/('O'Brien's%20file%20(1).txt')`,
      `/odata.svc/Root/Content('O%27Brien%27s%20file%20(1).txt')`,
    ])
      expect(json(await call('GET', `${path}?$select=Name&metadata=no`))).toEqual({ d: { Name: name } });
    expect((await call('GET', `/odata.svc/Root/Content('O'Brien's%20file%20(1).txt')/Actions`)).status).toBe(200);
  });

  it('deletes several, in the known shape', async () => {
    await post('/odata.svc/Root/Content', '{"Name":"B1","__ContentType":"Folder"}');
    const done = await post(
      `/odata.svc/('Root')/DeleteBatch${select}`,
      '{"paths":["/Root/Content/B1","/Root/Content/B2"],"permanent":true}',
    );
    expect(json(done)).toEqual({
      d: {
        __count: 1,
        results: [{ Id: expect.any(Number) as number, Path: '/Root/Content/B1', Name: 'B1' }],
        errors: [
          {
            content: { Id: 0, Path: '/Root/Content/B2', Name: 'B2' },
            error: expect.objectContaining({
              code: 'ResourceNotFound',
              exceptiontype: expect.any(String) as string,
              message: { lang: 'en-us', value: expect.any(String) as string },
            }) as object,
          },
        ],
      },
    });
  });

  it('refuses in the known shape, indented, with a name that is taken as 403', async () => {
    const taken = await post('/odata.svc/Root/Content', '{"Name":"it","__ContentType":"Folder"}');
    expect([taken.status, taken.headers['content-type']]).toEqual([403, odataJson]);
    expect(json(taken)).toEqual({
      error: {
        code: 'ContentAlreadyExists',
        exceptiontype: 'NodeAlreadyExistsException',
        message: { lang: 'en-us', value: expect.any(String) as string },
        innererror: null,
      },
    });
    expect(taken.text).toContain('\n  "error": {\n    "code"');
  });

  it('is refused with 413, 400 and 404 in the same shape', async () => {
    const codes = async (answer: Promise<Received>) => {
      const { status, text } = await answer;
      return [status, (JSON.parse(text) as { error: { code: string } }).error.code];
    };
    expect(await codes(post('/odata.svc/Root/Content', 'x'.repeat(3_000_000)))).toEqual([413, 'RequestTooLarge']);
    expect(await codes(post('/odata.svc/Root/Content', '{"Name":'))).toEqual([400, 'RequestError']);
    expect(await codes(post('/odata.svc/Root/Content', '[1,2]'))).toEqual([400, 'RequestError']);
    expect(await codes(post(`/odata.svc/('Root')/Fly`, '{}'))).toEqual([404, 'UnknownAction']);
    expect(await codes(call('GET', `/odata.svc/('Root')/Fly?x=1`))).toEqual([404, 'UnknownAction']);
    expect(await codes(call('GET', `/odata.svc/('Root')/DeleteBatch`))).toEqual([405, 'IllegalInvoke']);
    expect(await codes(call('GET', '/odata.svc/%ff'))).toEqual([400, 'RequestError']);
    expect(await codes(call('GET', '/elsewhere'))).toEqual([404, 'ResourceNotFound']);
  });
});

describe('options', () => {
  it.each([
    ['$skiptoken=5', '$skiptoken'],
    ['$skiptoken=WyJ4Il0', '$skiptoken'],
    [`$skiptoken=${Buffer.from('[1,"x"]').toString('base64url')}`, 'cursor'],
    [`$orderby=Index&$skiptoken=${Buffer.from('[1,"x"]').toString('base64url')}`, 'Index'],
    ['Fields=x', 'Fields'],
    ['$top=5&$TOP=6', '$TOP'],
    ['$filter=Name%20eq%201', 'Name'],
    ['$filter=tolower(Index)%20eq%20%27x%27', 'tolower'],
    ['$filter=year(Name)%20eq%201', 'year'],
    ['$orderby=Name%20sideways', 'sideways'],
    [`$orderby=${Array(20).fill('Name').join()}`, '$orderby'],
    [`$select=${Array(300).fill('Name').join()}`, '$select'],
    [`$expand=${Array(30).fill('CreatedBy').join()}`, '$expand'],
    ['$expand=CreatedBy/CreatedBy/CreatedBy/CreatedBy/CreatedBy', '$expand'],
    ['$expand=Name', '$expand'],
    ['metadata=most', 'metadata'],
    ['$format=xml', '$format'],
    ['enableautofilters=maybe', 'enableautofilters'],
    ['query=Name%3Ax%20OR%20Name%3Ay', 'query'],
  ])('on a query that is not understood is a 400 that names it: %s', async (query, named) => {
    const { status, text } = await call('GET', `/odata.svc/Root/Content?${query}`);
    expect([status, (JSON.parse(text) as { error: { message: { value: string } } }).error.message.value]).toEqual([
      400,
      expect.stringContaining(named),
    ]);
  });

  it('on an operation is passed over', async () => {
    for (const query of ['?$skiptoken=5', '?$top=x&$filter=nonsense(', '?snrepo=x&y', select])
      expect((await call('GET', `/odata.svc/('Root')/GetCurrentUser${query}`)).status).toBe(200);
  });

  it('filter by what is made of a field, by references and by dates, and sort by several fields', async () => {
    await post('/odata.svc/Root/Content', '{"Name":"Sorted","__ContentType":"Folder"}');
    for (const [name, index] of [
      ['Äpfel', 1],
      ['birne', 1],
      ['Citrus', 2],
    ] as const)
      await post('/odata.svc/Root/Content/Sorted', JSON.stringify({ Name: name, Index: index, __ContentType: 'Folder' }));
    const names = async (query: string) =>
      (
        json(await call('GET', `/odata.svc/Root/Content/Sorted?metadata=no&$select=Name&${query}`)) as {
          d: { results: { Name: string }[] };
        }
      ).d.results.map(({ Name }) => Name);
    const filtered = (text: string) => names(`$filter=${encodeURIComponent(text)}`);
    expect(await filtered(`tolower(Name) eq 'äpfel'`)).toEqual(['Äpfel']);
    expect(await filtered(`contains(toupper(Name),'IR') and length(Name) le 5`)).toEqual(['birne']);
    expect(await filtered(`substringof('i', Name)`)).toEqual(['birne', 'Citrus']);
    expect(await filtered(`year(CreationDate) ge 2026 and not (length(trim(Name)) eq 6)`)).toEqual(['Äpfel', 'birne']);
    expect(
      await filtered(`CreatedBy/Id eq ${wellKnown.publicAdmin} and CreationDate gt datetime'2020-01-01T00:00:00' and Index eq 2`),
    ).toEqual(['Citrus']);
    expect(await names('$orderby=Index%20desc,Name%20desc')).toEqual(['Citrus', 'birne', 'Äpfel']);
    expect(await names('$orderby=Index,Name&$skip=1&$top=1')).toEqual(['birne']);
  });
});

describe('operations', () => {
  it('answer unwrapped, to GET and to POST, in any case', async () => {
    const schema = json(await call('GET', `/odata.svc/('Root')/GetSchema${select}`)) as object[];
    expect(schema[0]).toMatchObject({
      ContentTypeName: 'GenericContent',
      ParentTypeName: null,
      FieldSettings: expect.any(Array) as object,
    });
    expect(json(await post(`/odata.svc/('Root')/getcurrentuser`))).toMatchObject({ d: { Id: wellKnown.publicAdmin } });
    expect(json(await call('GET', `/odata.svc/Root/('Content')/Actions?scenario=ContextMenu`))).toMatchObject({
      d: { results: expect.any(Array) as object },
    });
    const permitted = await call(
      'GET',
      `/odata.svc/Root/('Content')/HasPermission?permissions=Open,Save&identity=/Root/IMS/BuiltIn/Portal/PublicAdmin`,
    );
    expect([permitted.status, permitted.text]).toEqual([200, 'true']);
    expect(json(await call('GET', `/odata.svc/('Root')/GetRepositoryType`))).toHaveProperty('name');
  });

  it('tell where to sign in, as both clients ask, without a credential', async () => {
    for (const [path, client] of [
      [`/odata.svc/('Root')/GetClientRequestParameters?clientType=adminui`, acme.appClientId],
      [`/OData.svc/('Root')/GetClientRequestParameters?metadata=no&clientType=client`, acme.toolClientId],
    ] as const) {
      const bare = await app.raw(`GET /acme${path} HTTP/1.0\r\n\r\n`);
      expect(bare).toMatch(/^HTTP\/1\.1 200 /);
      expect(JSON.parse(bare.slice(bare.indexOf('\r\n\r\n')))).toEqual({
        authority: 'http://localhost:4100/acme',
        type: 'IdentityServer',
        client_id: client,
      });
    }
    expect((await call('GET', `/odata.svc/('Root')/GetClientRequestParameters`)).text).toBe('{}');
  });
});

describe('the .NET client', () => {
  it('speaks HTTP/1.0 and models=, one connection for each request', async () => {
    const body = 'models=[{"__ContentType":"Folder","Name":"dotnet","Description":"a & b = 100%"}]';
    const head = `authorization: Bearer ${tool}\r\ncontent-type: text/plain; charset=utf-8\r\ncontent-length: ${body.length}\r\n`;
    const made = await app.raw(`POST /acme/OData.svc/Root('Content')?metadata=no HTTP/1.0\r\n${head}\r\n${body}`);
    expect(made).toMatch(/^HTTP\/1\.1 201 /);
    expect(made).not.toMatch(/transfer-encoding/i);
    expect(JSON.parse(made.slice(made.indexOf('\r\n\r\n')))).toMatchObject({ d: { Name: 'dotnet', Description: 'a & b = 100%' } });
  });
});

describe('browsers', () => {
  it('are told before they send what the JavaScript client sends', async () => {
    const headers = {
      origin: 'https://app.example.com',
      'access-control-request-method': 'PUT',
      'access-control-request-headers': 'authorization,content-type',
    };
    const { status, headers: told, text } = await call('OPTIONS', `/odata.svc/('Root')`, { headers });
    expect([status, text]).toEqual([204, '']);
    expect(told).toMatchObject({
      'access-control-allow-origin': 'https://app.example.com',
      'access-control-allow-credentials': 'true',
      vary: 'Origin',
    });
    for (const method of ['GET', 'POST', 'PATCH', 'DELETE', 'MERGE', 'PUT']) expect(told['access-control-allow-methods']).toContain(method);
    for (const name of ['Authorization', 'Content-Type', 'Content-Range', 'Content-Disposition', 'apikey', 'X-Requested-With'])
      expect(told['access-control-allow-headers']).toContain(name);
  });
});

describe('API keys, each call as the documentation writes it', () => {
  const user = `/odata.svc/Root/IMS/Public/('User1')`;
  const make = async () => (json(await call('POST', `${user}/CreateApiKey`)) as { Value: string }).Value;
  const readWith = (value: string) => call('GET', '/odata.svc/Root/Content', { headers: { authorization: undefined, apikey: value } });

  it('GET …/Root/IMS/Public/(User1)/GetApiKeys gets all', async () => {
    await make();
    expect(json(await call('GET', `${user}/GetApiKeys`))).toMatchObject({
      apiKeys: [
        {
          Value: expect.any(String) as string,
          CreationDate: expect.stringMatching(/Z$/) as string,
          ExpirationDate: expect.stringMatching(/Z$/) as string,
        },
      ],
    });
  });

  it('POST …/(User1)/CreateApiKey creates one, which is given in the URL or in a header', async () => {
    const value = await make();
    expect((await readWith(value)).status).toBe(200);
    const inUrl = await app.raw(`GET /acme/odata.svc/Root/Content?apikey=${value} HTTP/1.0\r\n\r\n`);
    expect(inUrl).toMatch(/^HTTP\/1\.1 200 /);
    expect(inUrl).toMatch(/\r\ncache-control: no-store\r\n/i);
    expect(inUrl).toMatch(/\r\nreferrer-policy: no-referrer\r\n/i);
  });

  it.each([user, `/odata.svc/('Root')`])('POST %s/DeleteApiKey deletes one', async (target) => {
    const value = await make();
    const { status, text } = await post(`${target}/DeleteApiKey`, `{\n    'apiKey': '${value}'\n}`);
    expect([status, text, (await readWith(value)).status]).toEqual([204, '', 401]);
  });

  it.each([user, `/odata.svc/('Root')`])('POST %s/DeleteApiKeys deletes all', async (target) => {
    const values = [await make(), await make()];
    expect((await call('POST', `${target}/DeleteApiKeys`)).status).toBe(204);
    for (const value of values) expect((await readWith(value)).status).toBe(401);
  });
});
