import { createPrivateKey, generateKeyPairSync, randomBytes, sign, type KeyObject } from 'node:crypto';
import { createServer } from 'node:http';

/*
 * The yardstick of the token endpoint: a server of Node alone that does what it cannot do without. It reads the form, takes
 * the client from the Basic header, and signs a token with the claims that the product's has, ES256 by node:crypto, with a key
 * of its own for each repository that it keeps ready. It checks nothing and asks nobody.
 *
 * Arguments: the port, and the claims of one of the product's tokens as JSON.
 */
const [port = '', template = '{}'] = process.argv.slice(2);
const claims = JSON.parse(template) as Record<string, unknown>;
const keys = new Map<string, { header: string; key: KeyObject }>();

function signerOf(slug: string): { header: string; key: KeyObject } {
  const known = keys.get(slug);
  if (known) return known;
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const key = createPrivateKey({ key: privateKey.export({ format: 'der', type: 'pkcs8' }), format: 'der', type: 'pkcs8' });
  const header = { alg: 'ES256', typ: 'at+jwt', kid: randomBytes(32).toString('base64url') };
  const made = { header: Buffer.from(JSON.stringify(header)).toString('base64url'), key };
  keys.set(slug, made);
  return made;
}

createServer((request, response) => {
  let body = '';
  request.setEncoding('latin1');
  request.on('data', (chunk: string) => (body += chunk));
  request.on('end', () => {
    const form = new URLSearchParams(body);
    const [clientId = ''] = Buffer.from((request.headers.authorization ?? '').slice(6), 'base64')
      .toString('latin1')
      .split(':');
    const slug = (request.url ?? '').split('/')[1] ?? '';
    if (form.get('grant_type') !== 'client_credentials' || !clientId) return void response.writeHead(400).end();
    const { header, key } = signerOf(slug);
    const now = Math.floor(Date.now() / 1000);
    const own = {
      client_id: clientId,
      jti: randomBytes(32).toString('base64url'),
      iat: now,
      exp: now + 3600,
      iss: `http://localhost/${slug}`,
    };
    const signed = `${header}.${Buffer.from(JSON.stringify({ ...claims, ...own })).toString('base64url')}`;
    const signature = sign('sha256', Buffer.from(signed), { key, dsaEncoding: 'ieee-p1363' }).toString('base64url');
    const answer = JSON.stringify({
      access_token: `${signed}.${signature}`,
      expires_in: 3600,
      token_type: 'Bearer',
      scope: claims['scope'],
    });
    const headers = { 'content-type': 'application/json', 'cache-control': 'no-store', 'content-length': Buffer.byteLength(answer) };
    response.writeHead(200, headers).end(answer);
  });
}).listen(Number(port), '127.0.0.1', () => process.send?.('ready'));
process.on('disconnect', () => process.exit(0));
