import { createHash, randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { connect } from 'node:net';
import { calculateJwkThumbprint, exportJWK, generateKeyPair, SignJWT } from 'jose';
import { dataOf, errorOf } from './testing/answers.js';
import { CuttableLink } from './testing/cuttable-link.js';
import { RunningApp, type ProvisionedForTest } from './testing/running-app.js';

let app: RunningApp;
let acme: ProvisionedForTest;
let other: ProvisionedForTest;
/** The default tool's: an administrator. */
let tool: string;

beforeAll(async () => {
  app = await RunningApp.start();
  acme = await app.provision('acme', ['https://app.acme.example/callback', 'com.acme.app:/callback']);
  other = await app.provision('other');
});
afterAll(() => app.stop());
beforeEach(async () => {
  tool = await app.token(acme);
});

const get = (path: string, token?: string, headers: Record<string, string> = {}) => app.call(acme, path, { token, headers });
const create = async (name: string) => {
  const response = await app.call(acme, '/Root/Content', {
    method: 'POST',
    token: tool,
    body: JSON.stringify({ __ContentType: 'Folder', Name: name }),
  });
  expect(response.status).toBe(201);
  return dataOf(response);
};

const until = (time: number) => new Promise((resolve) => setTimeout(resolve, time - Date.now()));

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
    const bad: Record<string, string>[] = [
      { authorization: 'Bearer nonsense' },
      { authorization: 'Basic YTpi' },
      { authorization: '' },
      { apikey: 'abcd' },
      { apikey: '' },
    ];
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
    const wrongs = [
      { exp: past },
      { aud: 'http://localhost:4200/other' },
      { iss: 'http://localhost:4100/other' },
      { sub: 'x' },
      { lk: undefined },
      { client_id: 'nobody' },
    ];
    for (const claims of wrongs) await refusal(await get('/Root', await app.token(acme, { claims })));
    expect(await refusal(await get('/Root', await app.token(acme, { claims: { exp: past } })))).toContain('expired');
    const [header = '', , signature = ''] = tool.split('.');
    await refusal(await get('/Root', `${header}.${Buffer.from('{"sub":"1"}').toString('base64url')}.${signature}`));
    await refusal(await get('/Root', `${Buffer.from('{"alg":"none","typ":"at+jwt"}').toString('base64url')}.${tool.split('.')[1] ?? ''}.`));
  });

  it('is refused with a token that was right before, once its time is over or its key is taken away', async () => {
    const [header = '', claims = '', signature = ''] = tool.split('.');
    expect((await get('/Root', tool)).status).toBe(200);
    expect((await get('/Root', `${header}.${claims}.${signature.startsWith('A') ? 'B' : 'A'}${signature.slice(1)}`)).status).toBe(401);
    expect((await app.call(other, '/Root', { token: tool })).status).toBe(401);

    // However slow the machine is, it was right until its time was over.
    let [soon, short, status] = [0, '', 0];
    while (Date.now() >= soon * 1_000) {
      soon = Math.ceil(Date.now() / 1000) + 1;
      short = await app.token(acme, { claims: { exp: soon } });
      ({ status } = await get('/Root', short));
    }
    expect(status).toBe(200);
    await until(soon * 1_000);
    expect(await refusal(await get('/Root', short))).toContain('expired');
    expect(await refusal(await get('/Root', short))).toContain('expired');

    const gone = await app.provision('gone');
    const token = await app.token(gone);
    expect((await app.call(gone, '/Root', { token })).status).toBe(200);
    await app.test.owner.query('DELETE FROM signing_keys WHERE repository_id = $1', [gone.id]);
    await app.test.owner.query('UPDATE repositories SET settings_version = settings_version + 1 WHERE id = $1', [gone.id]);
    expect((await app.call(gone, '/Root', { token })).status).toBe(401);
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
    const mine = await create('Ours');
    for (const path of [`/content(${String(mine['Id'])})`, `/Root/Content/('Ours')`, '/Root/Content/Ours']) {
      expect((await app.call(other, path, { token: stranger })).status).toBe(404);
    }
  });
});

describe('browsers', () => {
  it('may call from the origins of the settings and of the apps, as of now', async () => {
    const preflight = (origin: string) =>
      app.call(acme, `/('Root')`, {
        method: 'OPTIONS',
        headers: { origin, 'access-control-request-method': 'PATCH', 'access-control-request-headers': 'authorization' },
      });
    const allowed = await preflight('https://app.acme.example');
    expect(allowed.status).toBe(204);
    expect(Object.fromEntries(allowed.headers)).toMatchObject({
      'access-control-allow-origin': 'https://app.acme.example',
      'access-control-allow-credentials': 'true',
      'access-control-allow-methods': expect.stringContaining('PATCH') as string,
      'access-control-allow-headers': expect.stringMatching(
        /Authorization.*Content-Type.*Content-Range.*Content-Disposition.*apikey/,
      ) as string,
      vary: 'Origin',
    });
    const strange = 'https://evil.example';
    expect((await preflight(strange)).headers.get('access-control-allow-origin')).toBeNull();
    expect((await preflight('null')).headers.get('access-control-allow-origin')).toBeNull();
    expect((await get(`/('Root')`, tool, { origin: strange })).headers.get('access-control-allow-origin')).toBeNull();
    await app.test.owner.query(
      `UPDATE repositories SET settings = settings || '{"allowedOrigins":["https://new.example"]}' WHERE id = $1`,
      [acme.id],
    );
    expect((await get(`/('Root')`, tool, { origin: 'https://new.example' })).headers.get('access-control-allow-origin')).toBe(
      'https://new.example',
    );
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
    const written = await app.raw(
      `POST /acme/OData.svc/Root('Content') HTTP/1.0\r\nAuthorization: Bearer ${tool}\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
    );
    expect(written).toMatch(/^HTTP\/1\.1 201/);
  });

  it('takes an upload however its form is cut into packets', async () => {
    const [part, end] = ['--b\r\nContent-Disposition: form-data; name="f"; filename="cut.bin"\r\n\r\nabc', '\r\n--b--\r\n'];
    const head =
      `POST /acme/odata.svc/Root/('Content')/upload HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer ${tool}\r\n` +
      `content-type: multipart/form-data; boundary=b\r\ncontent-length: ${part.length + end.length}\r\n\r\n`;
    for (let cut = 1; cut < end.length; cut++) {
      const socket = connect(app.port, '127.0.0.1').setNoDelay();
      socket.write(`${head}${part}${end.slice(0, cut)}`);
      await new Promise((resolve) => setTimeout(resolve, 50));
      socket.write(end.slice(cut));
      expect(String((await once(socket, 'data'))[0])).toMatch(/^HTTP\/1\.1 200 /);
      socket.destroy();
    }
  });

  it('takes names with quotes as clients send them', async () => {
    const made = await create("O'Brien's file (1).txt");
    const raw = await app.raw(
      `GET /acme/odata.svc/Root/Content/('O'Brien's%20file%20(1).txt')?metadata=no HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Bearer ${tool}\r\n\r\n`,
    );
    expect(raw).toContain(`"Id":${String(made['Id'])}`);
  });

  it.each([
    '/acme/odata.svc/%',
    '/acme/odata.svc/Root/%ff',
    '/%',
    `/acme/odata.svc/Root?$filter=%`,
    '/acme/odata.svc/Root?$filter=Name%20eq%20%27%00%27',
    '/acme/odata.svc/Root?query=%ff',
  ])('answers %s with 4xx', async (path) => {
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
    expect(headers).toMatchObject({
      'cache-control': 'no-store',
      'referrer-policy': 'no-referrer',
      'x-content-type-options': 'nosniff',
      etag: expect.stringMatching(/^"\d+"$/) as string,
      'x-request-id': expect.any(String) as string,
    });
  });
});

describe('when the database is away', () => {
  it('accepts nothing and asks to come back, and goes on when it is there again', async () => {
    const link = await CuttableLink.to(app.test.url);
    const cutOff = await RunningApp.start({ databaseUrl: link.url, test: app.test });
    try {
      const token = await app.token(acme);
      const status = async (bearer?: string) => (await cutOff.call(acme, `/('Root')`, { token: bearer })).status;
      expect([await status(token), await status()]).toEqual([200, 404]);
      link.cut();
      const away = await cutOff.call(acme, `/('Root')`, { token });
      expect([away.status, away.headers.get('retry-after'), (await errorOf(away)).code]).toEqual([503, '1', 'ServiceUnavailable']);
      expect([await status(), await status('nonsense')]).toEqual([503, 401]);
      const ready = await fetch(`http://127.0.0.1:${cutOff.port}/readyz`);
      expect([ready.status, await ready.json()]).toEqual([503, { ready: false, dependencies: { database: 'unreachable' } }]);
      expect((await fetch(`http://127.0.0.1:${cutOff.port}/healthz`)).status).toBe(200);
      await link.mend();
      expect(await status(token)).toBe(200);
    } finally {
      await cutOff.stopAlone();
      link.cut();
    }
  });
});

describe('a token that is bound to a key (RFC 9449)', () => {
  const address = (path: string) => `http://localhost:4200/acme/odata.svc${path}`;

  async function bound() {
    const { privateKey, publicKey } = await generateKeyPair('ES256');
    const jwk = await exportJWK(publicKey);
    const token = await app.token(acme, { claims: { cnf: { jkt: await calculateJwkThumbprint(jwk) } } });
    const prove = (htu: string, htm = 'GET') =>
      new SignJWT({ htm, htu, ath: createHash('sha256').update(token).digest('base64url'), jti: randomUUID() })
        .setProtectedHeader({ alg: 'ES256', typ: 'dpop+jwt', jwk })
        .setIssuedAt()
        .sign(privateKey);
    return { token, prove };
  }

  it('opens the repository to whoever holds the key', async () => {
    const { token, prove } = await bound();
    const dpop = await prove(address(`/('Root')`));
    const headers = { authorization: `DPoP ${token}`, dpop };
    expect((await get(`/('Root')?$select=Id`, undefined, headers)).status).toBe(200);
    const replayed = await get(`/('Root')?$select=Id`, undefined, headers);
    expect([replayed.status, (await errorOf(replayed)).message.value]).toEqual([401, expect.stringContaining('used before')]);
  });

  it('is refused as a plain bearer token, and says what is missing', async () => {
    const { token, prove } = await bound();
    const dpop = await prove(address('/Root'));
    for (const response of [await get('/Root', token), await get('/Root', token, { dpop })]) {
      expect(response.status).toBe(401);
      expect(response.headers.get('www-authenticate')).toMatch(/^DPoP algs="ES256 .*error="invalid_token"/);
      expect((await errorOf(response)).message.value).toContain('bound to a key');
    }
  });

  it('is refused with a proof for another address or method, or of another key', async () => {
    const [{ token, prove }, other] = [await bound(), await bound()];
    const proofs = [await prove(address('/Other')), await prove(address('/Root'), 'POST'), await other.prove(address('/Root')), ''];
    for (const dpop of proofs) expect((await get('/Root', undefined, { authorization: `DPoP ${token}`, dpop })).status).toBe(401);
  });

  it('that is bound in a way nobody here can check is refused', async () => {
    const token = await app.token(acme, { claims: { cnf: { 'x5t#S256': 'abc' } } });
    expect((await get('/Root', token)).status).toBe(401);
  });

  it('is one of two kinds: a plain token is not taken with a proof', async () => {
    const { prove } = await bound();
    const headers = { authorization: `DPoP ${tool}`, dpop: await prove(address('/Root')) };
    expect((await get('/Root', undefined, headers)).status).toBe(401);
  });
});
