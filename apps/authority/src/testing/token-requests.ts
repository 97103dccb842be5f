import type { OutgoingHttpHeaders } from 'node:http';
import fc from 'fast-check';

/** One request, whole. */
export interface Exchange {
  method: string;
  path: string;
  headers: OutgoingHttpHeaders;
  body: string | undefined;
}

/** A client's credentials, right or not, and the repository that they are for. */
export interface Presented {
  id: string;
  secret: string;
  slug: string;
}

/** A right request for a token, as a tool sends it. */
export function plainRequest({ id, secret, slug }: Presented): Exchange {
  const headers = {
    authorization: `Basic ${Buffer.from(`${id}:${secret}`).toString('base64')}`,
    'content-type': 'application/x-www-form-urlencoded',
  };
  return { method: 'POST', path: `/${slug}/connect/token`, headers, body: 'grant_type=client_credentials' };
}

/** Right requests with one thing each that is unusual. */
export function unusualRequests(credential: Presented): Exchange[] {
  const { id, secret } = credential;
  const plain = (more: Partial<Exchange>): Exchange => ({ ...plainRequest(credential), ...more });
  const body = 'grant_type=client_credentials';
  const form = `${body}&client_id=${id}&client_secret=${secret}`;
  const basic = (text: string, scheme = 'Basic ') => ({ authorization: scheme + Buffer.from(text).toString('base64') });
  const withHeaders = (more: OutgoingHttpHeaders) => plain({ headers: { ...plainRequest(credential).headers, ...more } });
  const inForm = (text: string) => plain({ headers: { 'content-type': 'application/x-www-form-urlencoded' }, body: text });
  const added = (more: string[]) => more.map((each) => `${body}&${each}`);
  const bodies = [
    `?${body}`,
    `&${body}&`,
    `${body}\r\n`,
    `${body}&`,
    `${body};scope=sensenet`,
    `${body}%00`,
    `\u00ef\u00bb\u00bf${body}`,
    '',
  ].concat(
    'grant_type=client%5Fcredentials',
    added([body, 'x=y', 'scope=', 'scope=sensenet&scope=sensenet', 'scope=%73ensenet', 'scope=nonsense', 'scope=+sensenet']),
    added(['resource=', `client_id=${id}`, 'client_secret=']),
  );
  return [
    ...bodies.map((text) => plain({ body: text })),
    ...[
      form.replace(secret, `${secret}%20`),
      form.replace(id, `${id}%20`),
      form.replace(secret, `+${secret}`),
      `${form}&client_id=${id}`,
    ].map(inForm),
    ...[`${id}:${secret}:x`, `${id}:${secret}:`, `:${id}:${secret}`, id, `${id}%20:${secret}`, `${id}:${secret} `, `%${id}:${secret}`].map(
      (text) => withHeaders(basic(text)),
    ),
    ...['basic ', 'BASIC ', 'Basic  ', ' Basic ', 'Bearer '].map((scheme) => withHeaders(basic(`${id}:${secret}`, scheme))),
    ...[
      { origin: 'https://app.example.com' },
      { dpop: 'x.y.z' },
      { 'content-encoding': 'gzip' },
      { 'content-type': 'application/x-www-form-urlencoded; charset=utf-16le' },
      { 'content-type': 'application/x-www-form-urlencoded, text/plain' },
      { 'content-type': 'application/json' },
      { 'transfer-encoding': 'chunked' },
      ...['text/html', 'text/*', 'application/json;q=0.5, text/html', 'text/html;q=0.5, */*', 'image/png', ''].map((accept) => ({
        accept,
      })),
      { expect: '100-continue' },
    ].map(withHeaders),
    ...['?x=1', '/', '?client_id=x', '#x'].map((end) => plain({ path: plainRequest(credential).path + end })),
  ];
}

/** Writes text as some client would, from plainly to wrongly. */
const spelling = fc.oneof(
  { weight: 8, arbitrary: fc.constant((text: string) => encodeURIComponent(text)) },
  fc.constant((text: string) => encodeURIComponent(text).replaceAll('%20', '+')),
  fc.constant((text: string) => text),
  fc.constant((text: string) => text.replace(/./gs, (letter) => `%${letter.charCodeAt(0).toString(16).padStart(2, '0')}`)),
  fc.constant((text: string) => `${text}%zz`),
  fc.constant((text: string) => ` ${text}`),
  fc.constant((text: string) => `${text}\u00e9`),
);

const scopes = fc.oneof(
  fc.constantFrom(
    'sensenet',
    'content:read',
    'content:read content:write',
    'content:read content:read',
    'openid',
    'openid sensenet',
    '',
    ' ',
  ),
  fc.constantFrom(
    'nonsense',
    'content:read nonsense',
    ' content:read',
    'content:read  content:write',
    'content:"',
    'repositories:read',
    'offline_access',
  ),
);

const extra = fc.oneof(
  fc.tuple(fc.constant('scope'), scopes),
  fc.tuple(fc.constant('grant_type'), fc.constantFrom('client_credentials', 'password', 'authorization_code', '')),
  fc.tuple(fc.constant('resource'), fc.constantFrom('http://localhost:4200/customer-1', 'https://elsewhere.example', '')),
  fc.tuple(fc.constant('client_assertion_type'), fc.constant('urn:ietf:params:oauth:client-assertion-type:jwt-bearer')),
  fc.tuple(
    fc.constantFrom('client_id', 'client_secret', 'code', 'snrepo', 'audience', 'constructor', '__proto__', 'Scope', 'scope[]', ''),
    fc.string({ maxLength: 8 }),
  ),
);

type Place =
  | 'basic'
  | 'form'
  | 'both'
  | 'none'
  | 'lower-case'
  | 'two spaces'
  | 'no padding'
  | 'bearer'
  | 'extra colon'
  | 'url-encoded'
  | 'id only';

/** Requests for tokens as clients, and others, may send them: mostly right, with something odd or wrong now and then. */
export const anyRequest = (credentials: Presented[]): fc.Arbitrary<Exchange> => {
  const slugs = ['nowhere', ...new Set(credentials.map(({ slug }) => slug))];
  return fc
    .record({
      credential: fc.nat({ max: credentials.length - 1 }),
      strange: fc.oneof({ weight: 6, arbitrary: fc.constant(undefined) }, fc.nat({ max: 20 })),
      place: fc.oneof(
        { weight: 6, arbitrary: fc.constantFrom<Place>('basic', 'form') },
        fc.constantFrom<Place>('both', 'none', 'lower-case', 'two spaces', 'no padding', 'bearer', 'extra colon', 'url-encoded', 'id only'),
      ),
      spoil: fc.oneof(
        { weight: 8, arbitrary: fc.constant((secret: string) => secret) },
        fc.constantFrom(
          (secret: string) => `${secret.slice(0, -1)}0`,
          (secret: string) => secret.replace('lk_live', 'lk_test'),
          () => '',
          () => 'wrong',
          () => 'a:b',
          (secret: string) => ` ${secret}`,
        ),
      ),
      grant: fc.oneof(
        { weight: 10, arbitrary: fc.constant('client_credentials') },
        fc.constantFrom('refresh_token', 'implicit', 'CLIENT_CREDENTIALS', ''),
      ),
      scope: fc.option(scopes, { nil: undefined, freq: 2 }),
      extras: fc.oneof({ weight: 6, arbitrary: fc.constant([]) }, fc.array(extra, { maxLength: 3 })),
      spell: spelling,
      join: fc.oneof({ weight: 12, arbitrary: fc.constant('&') }, fc.constantFrom('&&', ';', '&\r\n')),
      around: fc.oneof(
        { weight: 12, arbitrary: fc.constant(['', '']) },
        fc.constantFrom(['?', ''], ['&', '&'], ['', '\r\n'], ['\u00ef\u00bb\u00bf', ''], ['', '&x']),
      ),
      order: fc.boolean(),
      type: fc.oneof(
        { weight: 10, arbitrary: fc.constant('application/x-www-form-urlencoded') },
        fc.constantFrom(
          'application/x-www-form-urlencoded; charset=UTF-8',
          'application/x-www-form-urlencoded;charset=utf-16le',
          'Application/X-WWW-Form-URLEncoded',
          'application/json',
          'text/plain',
          '',
        ),
      ),
      more: fc.oneof(
        { weight: 10, arbitrary: fc.constant<OutgoingHttpHeaders>({}) },
        fc.constantFrom<OutgoingHttpHeaders>(
          { origin: 'https://app.example.com' },
          { origin: 'null' },
          { dpop: 'x.y.z' },
          { 'x-forwarded-host': 'evil.example', 'x-forwarded-proto': 'https' },
          { accept: 'text/html' },
          { cookie: '_session=x; _session.sig=y' },
          { 'content-encoding': 'gzip' },
          { 'transfer-encoding': 'chunked' },
          { connection: 'close' },
          { 'x-http-method-override': 'GET' },
        ),
      ),
      method: fc.oneof({ weight: 14, arbitrary: fc.constant('POST') }, fc.constantFrom('GET', 'PUT', 'OPTIONS', 'HEAD', 'DELETE')),
      path: fc.oneof(
        { weight: 14, arbitrary: fc.constant('/connect/token') },
        fc.constantFrom(
          '/connect/token?x=1',
          '/connect/token/',
          '/connect/token?grant_type=client_credentials',
          '/Connect/Token',
          '//connect/token',
          '/connect/%74oken',
        ),
      ),
    })
    .map((made) => {
      const { id, secret, slug } = credentials[made.credential]!;
      const presented = made.spoil(secret);
      const pairs: [string, string][] = [
        ['grant_type', made.grant],
        ...(made.scope === undefined ? [] : [['scope', made.scope] as [string, string]]),
      ];
      if (['form', 'both'].includes(made.place)) pairs.push(['client_id', id], ['client_secret', presented]);
      if (made.place === 'id only') pairs.push(['client_id', id]);
      pairs.push(...made.extras);
      const written = (made.order ? pairs : pairs.toReversed()).map(([name, value]) => `${name}=${made.spell(value)}`);
      const body = made.around[0] + written.join(made.join) + made.around[1];
      const encoded = Buffer.from(
        made.place === 'url-encoded' ? `${id}:${made.spell(presented)}` : `${id}:${presented}${made.place === 'extra colon' ? ':x' : ''}`,
      ).toString('base64');
      const authorization: Partial<Record<Place, string>> = {
        basic: `Basic ${encoded}`,
        both: `Basic ${encoded}`,
        'url-encoded': `Basic ${encoded}`,
        'extra colon': `Basic ${encoded}`,
        'lower-case': `basic ${encoded}`,
        'two spaces': `Basic  ${encoded}`,
        'no padding': `Basic ${encoded.replace(/=+$/, '')}`,
        bearer: `Bearer ${encoded}`,
      };
      const inHeader = authorization[made.place];
      const hasBody = made.method !== 'GET' && made.method !== 'HEAD';
      const headers: OutgoingHttpHeaders = {
        ...(inHeader ? { authorization: inHeader } : {}),
        ...(made.type && hasBody ? { 'content-type': made.type } : {}),
        ...(hasBody && !('transfer-encoding' in made.more) ? { 'content-length': Buffer.byteLength(body, 'latin1') } : {}),
        ...made.more,
      };
      const at = made.strange === undefined ? slug : slugs[made.strange % slugs.length]!;
      return { method: made.method, path: `/${at}${made.path}`, headers, body: hasBody ? body : undefined };
    });
};
