import { Agent, request as send } from 'node:http';
import fc from 'fast-check';
import { wellKnown } from '@latchkey/content';
import { RunningApp, type ProvisionedForTest } from './testing/running-app.js';

/*
 * Whatever somebody writes is data: in filters, orders, queries, names, paths and parameters of operations. Nothing is a 5xx,
 * and nothing comes back that the caller may not see. `ODATA_REQUESTS=20000` sends so many; a failure prints its seed and the
 * least text that shows it.
 */
const requests = Number(process.env['ODATA_REQUESTS'] ?? 600);
const atOnce = 6;

/** Is in another repository, and in a folder of this one that the caller may not see. Nobody asks for it by name. */
const planted = 'planted-4f1c09';

let app: RunningApp;
let acme: ProvisionedForTest;
let person: string;
const agent = new Agent({ keepAlive: true, maxSockets: 2 * atOnce });

beforeAll(async () => {
  app = await RunningApp.start();
  acme = await app.provision('acme', ['https://app.example.com/callback']);
  const other = await app.provision('other');
  for (const repository of [acme, other]) {
    const token = await app.token(repository);
    const made = await app.call(repository, repository === acme ? '/Root/IMS/Public' : '/Root/Content', {
      method: 'POST',
      token,
      body: JSON.stringify({ __ContentType: repository === acme ? 'Group' : 'Folder', Name: planted, Description: planted }),
    });
    expect(made.status).toBe(201);
  }
  const userId = await app.person(acme, 'anna');
  person = await app.token(acme, { clientId: acme.appClientId, userId });
  await app.call(acme, '/Root/Content', { method: 'POST', token: await app.token(acme), body: '{"__ContentType":"Folder","Name":"mine"}' });
});
afterAll(async () => {
  agent.destroy();
  await app.stop();
});

function ask(method: string, path: string, body?: string): Promise<{ status: number; text: string }> {
  return new Promise((resolve, reject) => {
    // Node says no length for the body of a DELETE by itself; what follows the headers would then be the next request (RFC 9112 §6.3).
    const length = body === undefined ? {} : { 'content-length': Buffer.byteLength(body) };
    const headers = { authorization: `Bearer ${person}`, ...length };
    const sent = send({ host: '127.0.0.1', port: app.port, agent, method, path: `/acme/odata.svc${path}`, headers }, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
      response.on('end', () => resolve({ status: response.statusCode ?? 0, text }));
    });
    sent.on('error', reject);
    sent.end(body);
  });
}

/** Percent-encodes anything, halves of surrogate pairs too: as the bytes that some encoders make of them. */
const encoded = (text: string) =>
  Array.from(text, (sign) =>
    sign.isWellFormed() ? encodeURIComponent(sign).replace(/[()']/g, (one) => `%${one.charCodeAt(0).toString(16)}`) : '%ED%A0%80',
  ).join('');

/** Texts that mean something somewhere else, and any others. */
const nasty = fc.oneof(
  fc.constantFrom(
    `'`,
    `''`,
    `' OR '1'='1`,
    `'; DROP TABLE nodes; --`,
    `x') OR 1=1 --`,
    '/*',
    '*/',
    '--',
    '\\',
    "\\'",
    `"`,
    '$1',
    '$$',
    '%',
    '%00',
    '\0',
    '..',
    '../',
    '../../Root/IMS',
    './',
    '//',
    '/',
    '\u202e',
    '\ufeff',
    '\ud800',
    'ﬀ',
    'İ',
    '\u0000\u0001',
    '{{7*7}}',
    '${7*7}',
    '<script>',
    '__proto__',
    'constructor',
    'toString',
    '@@CurrentUser.Id@@',
    'null',
    'NaN',
    '1e999',
    '-1',
    '99999999999999999999',
    '\r\nX: y',
    ')',
    '(',
    `')`,
    `('`,
  ),
  fc.string({ unit: 'binary', maxLength: 30 }),
  fc.string({ unit: 'grapheme', maxLength: 30 }),
);
const field = fc.oneof(
  fc.constantFrom(
    'Name',
    'Id',
    'Path',
    'Type',
    'Description',
    'CreationDate',
    'Hidden',
    'IsFolder',
    'Index',
    'ParentId',
    'CreatedBy',
    'CreatedBy/Id',
    'Members',
    'LoginName',
    'constructor',
    '__proto__',
    'fields',
    'n.id',
  ),
  nasty,
);
const literal = fc.oneof(
  nasty.map((text) => `'${text.replaceAll(`'`, `''`)}'`),
  nasty.map((text) => `'${text}'`),
  fc.constantFrom(
    '5',
    '-1.5e3',
    '1e400',
    'true',
    'null',
    `datetime'2026-11-21'`,
    `datetime'9999-99-99'`,
    '2026-11-21T00:00:00Z',
    `datetime'x'`,
    '0001-01-01',
  ),
  fc.double().map(String),
);
const applied = fc
  .tuple(fc.constantFrom('', 'length', 'tolower', 'toupper', 'trim', 'year', 'month', 'day', 'hour', 'shout'), field)
  .map(([name, of]) => (name ? `${name}(${of})` : of));
const predicate = fc.oneof(
  fc.tuple(applied, fc.constantFrom('eq', 'ne', 'gt', 'ge', 'lt', 'le', 'like', '='), literal).map((parts) => parts.join(' ')),
  fc
    .tuple(fc.constantFrom('contains', 'startswith', 'endswith', 'substringof', 'isof', 'exec'), applied, literal)
    .map(([name, one, two]) => `${name}(${one},${two})`),
  literal.map((text) => `isof(${text})`),
  nasty,
);
const { filter } = fc.letrec<{ filter: string }>((tie) => ({
  filter: fc.oneof(
    { maxDepth: 4 },
    predicate,
    fc.tuple(tie('filter'), fc.constantFrom('and', 'or'), tie('filter')).map((parts) => parts.join(' ')),
    tie('filter').map((inner) => `not (${inner})`),
  ),
}));
const query = fc.oneof(
  filter.map((text) => `$filter=${encoded(text)}`),
  fc.tuple(field, fc.constantFrom('', ' asc', ' desc', ' x')).map((parts) => `$orderby=${encoded(parts.join(''))}`),
  fc.tuple(fc.constantFrom('Id', 'TypeIs', 'InTree', 'Name', 'Type', 'X'), nasty).map(([name, text]) => `query=${name}:${encoded(text)}`),
  fc
    .tuple(
      fc.constantFrom('$select', '$expand', '$top', '$skip', '$skiptoken', 'metadata', '$format', '$inlinecount', '$count', 'X'),
      fc.oneof(field, nasty),
    )
    .map(([name, text]) => `${name}=${encoded(text)}`),
);
const place = fc.oneof(
  fc.constantFrom(
    '/Root/Content',
    '/Root',
    `/Root/Content('mine')`,
    `/Root/('Content')`,
    '/content(14)',
    `/('Root')`,
    '/Root/Content/$count',
    '/$metadata',
  ),
  nasty.map((text) => `/Root/Content('${encoded(text)}')`),
  nasty.map((text) => `/Root/${encoded(text)}`),
  nasty.map((text) => `/content(${encoded(text)})`),
  fc
    .tuple(fc.constantFrom('HasPermission', 'Actions', 'GetSchema', 'GetParentGroups', 'DisplayName', 'toString', 'constructor'), nasty)
    .map(([name, text]) => `/Root/('Content')/${name}/${encoded(text)}`),
);
const operation = fc.constantFrom(
  'DeleteBatch',
  'CreateApiKey',
  'DeleteApiKey',
  'AddMembers',
  'RemoveMembers',
  'CreateClient',
  'CreateSecret',
  'DeleteClient',
  'HasPermission',
  'GetClientRequestParameters',
  'ChangePassword',
  'GetParentGroups',
);
const value = fc.oneof(
  nasty,
  fc.integer(),
  fc.constant(null),
  fc.boolean(),
  fc.array(nasty, { maxLength: 3 }),
  fc.dictionary(nasty, nasty, { maxKeys: 2 }),
);
const body = fc.oneof(
  fc
    .dictionary(
      fc.oneof(
        fc.constantFrom(
          '__ContentType',
          'Name',
          'paths',
          'apiKey',
          'contentIds',
          'type',
          'clientId',
          'secretId',
          'permissions',
          'identity',
          'password',
          'Email',
          'LoginName',
          'name',
          'expirationDate',
          'validTill',
          'targetPath',
        ),
        nasty,
      ),
      value,
      { maxKeys: 5 },
    )
    .map((parts) => JSON.stringify(parts)),
  nasty,
  nasty.map((text) => `models=[${text}]`),
  nasty.map((text) => `Name=${text}&__ContentType=Folder`),
);

interface Sent {
  method: string;
  path: string;
  body?: string;
}
const sent: fc.Arbitrary<Sent> = fc.oneof(
  fc.tuple(place, fc.array(query, { maxLength: 3 })).map(([path, options]) => ({ method: 'GET', path: `${path}?${options.join('&')}` })),
  query.map((options) => ({ method: 'GET', path: `/Root/Content?${options}` })),
  fc
    .tuple(fc.constantFrom(`/('Root')`, `/Root/('Content')`, '/content(1000)', '/content(7)'), operation, body)
    .map(([on, name, parts]) => ({ method: 'POST', path: `${on}/${name}`, body: parts })),
  fc
    .tuple(fc.constantFrom('POST', 'PATCH', 'PUT', 'DELETE', 'MERGE'), place, body)
    .map(([method, path, parts]) => ({ method, path, body: parts })),
);

describe('what callers write', () => {
  it('is data wherever it stands: no answer is a 5xx or holds what the caller may not see', async () => {
    const seed = Number(process.env['ODATA_SEED'] ?? Date.now() % 2 ** 31);
    process.stdout.write(`ODATA_SEED=${seed}\n`);
    const statuses = new Map<number, number>();
    const holds = fc.asyncProperty(sent, async (request) => {
      const { status, text } = await ask(request.method, request.path, request.body);
      statuses.set(status, (statuses.get(status) ?? 0) + 1);
      expect({ request, status, isFault: status >= 500, tells: text.includes(planted) }).toMatchObject({ isFault: false, tells: false });
      // Nothing of our insides either.
      expect(text).not.toMatch(/content_nodes|node_modules|QueryFailed|syntax error|\bpg_|at async/);
    });
    const share = (index: number) =>
      fc.assert(holds, { numRuns: Math.ceil(requests / atOnce), seed: seed + index, includeErrorInReport: true });
    await Promise.all(Array.from({ length: atOnce }, (_, index) => share(index)));
    // They were of all sorts. Of twelve, one is usually a 200.
    for (const status of [200, 400, 404]) expect(statuses.get(status)).toBeGreaterThan(requests / 60);
    const { rows } = await app.test.owner.query<{ kept: number }>('SELECT count(*)::integer AS kept FROM content_nodes WHERE name = $1', [
      planted,
    ]);
    expect(rows).toEqual([{ kept: 2 }]);
    expect((await ask('GET', `/content(${wellKnown.content})`)).status).toBe(200);
  });
});
