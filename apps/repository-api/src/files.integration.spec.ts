import { randomBytes } from 'node:crypto';
import { connect } from 'node:net';
import { sweepBlobs } from '@latchkey/content';
import { RunningApp, type ProvisionedForTest } from './testing/running-app.js';

let app: RunningApp;
let acme: ProvisionedForTest;
let tool: string;
let anna: string;

beforeAll(async () => {
  app = await RunningApp.start();
  acme = await app.provision('acme');
  tool = await app.token(acme);
  anna = await app.token(acme, { clientId: acme.appClientId, userId: await app.person(acme, 'anna') });
});
afterAll(() => app.stop());

/** A form as existing clients send it: what to do first, the file last. */
function formOf(fields: Record<string, string>, bytes: Buffer, name = 'a.bin', type = 'application/octet-stream'): FormData {
  const form = new FormData();
  for (const [key, value] of Object.entries(fields)) form.append(key, value);
  form.append(name, new Blob([new Uint8Array(bytes)], { type }), name);
  return form;
}
const whole = { ChunkToken: '0*0*False*False', Overwrite: 'true', PropertyName: 'Binary' };
const upload = (body: RequestInit['body'], headers: Record<string, string> = {}, token = tool) =>
  app.call(acme, `/Root/('Content')/upload`, { method: 'POST', body: body ?? null, headers, token });
const put = (name: string, bytes: Buffer, type?: string) => upload(formOf({ ...whole, FileName: name }, bytes, name, type));
const download = (name: string, headers: Record<string, string> = {}, token = tool, method = 'GET') =>
  app.call(acme, `/Root/Content/('${encodeURIComponent(name)}')/Binary/$value`, { headers, token, method });
const bytesOf = async (response: Response) => Buffer.from(await response.arrayBuffer());

describe('a file', () => {
  it('comes down as it went up, whole and by its ranges', async () => {
    const bytes = randomBytes(2_500_000);
    const answer = await put('big.bin', bytes);
    expect(answer.status).toBe(200);
    expect(await answer.json()).toMatchObject({ Length: bytes.length, Name: 'big.bin', Type: 'File', Url: '/Root/Content/big.bin' });
    const got = await download('big.bin');
    expect([got.status, got.headers.get('content-length'), got.headers.get('accept-ranges')]).toEqual([200, '2500000', 'bytes']);
    expect((await bytesOf(got)).equals(bytes)).toBe(true);
    const etag = got.headers.get('etag') ?? '';
    for (const [range, start, end] of [
      ['bytes=0-0', 0, 1],
      ['bytes=1048570-1048590', 1_048_570, 1_048_591],
      ['bytes=-7', 2_499_993, 2_500_000],
      ['bytes=2499999-9999999', 2_499_999, 2_500_000],
      ['bytes=2400000-', 2_400_000, 2_500_000],
    ] as const) {
      const part = await download('big.bin', { range });
      expect([part.status, part.headers.get('content-range')]).toEqual([206, `bytes ${start}-${end - 1}/2500000`]);
      expect((await bytesOf(part)).equals(bytes.subarray(start, end))).toBe(true);
    }
    for (const range of ['bytes=2500000-', 'bytes=-0']) {
      const none = await download('big.bin', { range });
      expect([none.status, none.headers.get('content-range')]).toEqual([416, 'bytes */2500000']);
    }
    for (const range of ['bytes=5-1', 'lines=1-2', 'bytes=0-1,3-4', 'bytes=x-', "bytes='--"]) {
      expect((await download('big.bin', { range })).status).toBe(200);
    }
    expect((await download('big.bin', { range: 'bytes=0-9', 'if-range': '"other"' })).status).toBe(200);
    expect((await download('big.bin', { range: 'bytes=0-9', 'if-range': etag })).status).toBe(206);
    expect((await download('big.bin', { 'if-none-match': etag })).status).toBe(304);
    const head = await download('big.bin', {}, tool, 'HEAD');
    expect([head.status, head.headers.get('content-length'), (await bytesOf(head)).length]).toEqual([200, '2500000', 0]);
  });

  it('goes up in chunks, and on from where it was cut off', async () => {
    const bytes = randomBytes(2_500_000);
    const total = bytes.length;
    const fields = { UseChunk: 'true', FileName: 'chunked.bin', FileLength: String(total), Overwrite: 'true', PropertyName: 'Binary' };
    const begun = await upload(formOf({ ...fields, create: '1', ChunkToken: '0*0*False*False' }, Buffer.alloc(0)));
    const token = await begun.text();
    expect([begun.status, token]).toEqual([200, expect.stringMatching(/^[\da-f-]{36}$/) as string]);
    const send = (start: number, end: number, as = tool) =>
      upload(
        formOf({ ...fields, ChunkToken: token }, bytes.subarray(start, end)),
        { 'content-range': `bytes ${start}-${end - 1}/${total}`, 'content-disposition': 'attachment; filename="chunked.bin"' },
        as,
      );
    expect((await send(0, 1_000_000)).status).toBe(200);
    expect((await download('chunked.bin')).status).toBe(404);
    const again = await send(0, 1_000_000);
    expect([again.status, await again.text()]).toEqual([409, expect.stringContaining('goes on at byte 1000000') as string]);
    expect((await send(1_000_000, 2_000_000, anna)).status).toBe(403);
    expect((await send(1_000_000, 2_000_000)).status).toBe(200);
    expect(await (await send(2_000_000, total)).json()).toMatchObject({ Length: total, Name: 'chunked.bin' });
    expect((await bytesOf(await download('chunked.bin'))).equals(bytes)).toBe(true);
    expect((await send(2_000_000, total)).status).toBe(404);
  });

  it('is replaced at once, and only by someone who knows its version if they say so', async () => {
    await put('v.txt', Buffer.from('one'), 'text/plain');
    const tag = (await app.call(acme, `/Root/Content/('v.txt')`, { token: tool })).headers.get('etag') ?? '';
    const replace = (text: string, headers: Record<string, string> = {}) =>
      app.call(acme, `/Root/Content/('v.txt')/Binary/$value`, { method: 'PUT', token: tool, body: text, headers });
    expect((await replace('two', { 'if-match': tag, 'content-type': 'text/plain' })).status).toBe(200);
    expect((await replace('three', { 'if-match': tag })).status).toBe(412);
    expect(await (await download('v.txt')).text()).toBe('two');
    await upload(formOf({ ...whole, FileName: 'v.txt', Overwrite: 'false' }, Buffer.from('x'), 'v.txt'));
    expect((await download('v.txt (1)')).status).toBe(200);
  });

  it.each([
    ['text/html', 'attachment', 'text/html'],
    ['image/svg+xml', 'attachment', 'image/svg+xml'],
    ['image/png', 'inline', 'image/png'],
    ['text/plain', 'inline', 'text/plain;charset=utf-8'],
    ['nonsense', 'attachment', 'application/octet-stream'],
  ])('of the type %s is given as %s and runs nothing', async (type, kind, sent) => {
    const name = `"ü' ${type.replace('/', '-')}`;
    expect((await put(name, Buffer.from('<script>alert(1)</script>'), type)).status).toBe(200);
    const got = await download(name);
    expect(got.status).toBe(200);
    expect(got.headers.get('content-disposition')).toMatch(new RegExp(`^${kind}; filename="[ -~]*"; filename\\*=UTF-8''%22%C3%BC`));
    expect(got.headers.get('content-type')).toBe(sent);
    expect(got.headers.get('x-content-type-options')).toBe('nosniff');
    expect(got.headers.get('content-security-policy')).toContain('sandbox');
  });

  it('is for those who may open it, and taken from those who may add or save', async () => {
    await put('mine.txt', Buffer.from('x'));
    const name = (fileName: string) => formOf({ ...whole, FileName: fileName }, Buffer.from('x'));
    expect((await download('mine.txt', {}, anna)).status).toBe(200);
    expect((await download('mine.txt', {}, '')).status).toBe(404);
    expect((await upload(name('new.txt'), {}, anna)).status).toBe(403);
    expect((await upload(name('mine.txt'), {}, anna)).status).toBe(403);
    expect((await upload(name('v'), {}, '')).status).toBe(404);
    const reader = await app.token(acme, { scope: 'content:read' });
    expect((await upload(name('v'), {}, reader)).status).toBe(403);
    expect((await app.call(acme, `/('Root')/Binary/$value`, { token: tool })).status).toBe(404);
    expect((await app.call(acme, `/Root/('Content')/Binary/$value`, { method: 'PUT', body: 'x', token: tool })).status).toBe(400);
  });

  it.each<[string, RequestInit['body'], Record<string, string>]>([
    ['no form', 'x', { 'content-type': 'text/plain' }],
    ['no boundary', 'x', { 'content-type': 'multipart/form-data' }],
    [
      'a form cut short',
      '--b\r\nContent-Disposition: form-data; name="x"; filename="a"\r\n\r\nabc',
      { 'content-type': 'multipart/form-data; boundary=b' },
    ],
    ['a range that is none', formOf(whole, Buffer.from('x')), { 'content-range': 'bytes 9-1/x' }],
    ['a name that is none', formOf({ ...whole, FileName: '../x' }, Buffer.from('x')), {}],
    ['a type that is none', formOf({ ...whole, FileName: 'x', ContentType: 'Spaceship' }, Buffer.from('x')), {}],
    ['a type without the field', formOf({ ...whole, FileName: 'x', ContentType: 'Folder' }, Buffer.from('x')), {}],
    ['a field that is none', formOf({ ...whole, FileName: 'x', PropertyName: "Bin'ary" }, Buffer.from('x')), {}],
    ['too much in it', formOf(Object.fromEntries(Array.from({ length: 50 }, (_, i) => [`f${i}`, 'x'])), Buffer.from('x')), {}],
  ])('is refused with words when there is %s', async (_, body, headers) => {
    const refused = await upload(body, headers);
    expect(refused.status).toBe(400);
    expect((await refused.text()).length).toBeGreaterThan(20);
  });

  it('is described in place of its bytes, with the address where they are', async () => {
    await put('described.txt', Buffer.from('hello'), 'text/plain');
    const answer = await (await app.call(acme, `/Root/Content/('described.txt')?$select=Binary&metadata=no`, { token: tool })).text();
    const address = `/Root/Content('described.txt')/Binary/$value`;
    expect(JSON.parse(answer)).toMatchObject({
      d: { Binary: { ['__mediaresource']: { media_src: `/acme/odata.svc${address}`, content_type: 'text/plain' } } },
    });
    expect(await (await app.call(acme, address, { token: tool })).text()).toBe('hello');
  });

  it('whose sender breaks off leaves nothing but an upload to be swept', async () => {
    const head = `POST /acme/odata.svc/Root/('Content')/upload HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${tool}\r\n`;
    const part = '--b\r\ncontent-disposition: form-data; name="f"; filename="broken.bin"\r\n\r\n';
    for (const sent of ['', part, `${part}${'x'.repeat(100_000)}`]) {
      const socket = connect(app.port, '127.0.0.1');
      socket.on('error', () => undefined);
      socket.write(`${head}content-type: multipart/form-data; boundary=b\r\ncontent-length: 9000000\r\n\r\n${sent}`);
      await new Promise((resolve) => setTimeout(resolve, 100));
      socket.destroy();
    }
    expect((await put('after.bin', Buffer.from('x'))).status).toBe(200);
    expect((await download('broken.bin')).status).toBe(404);
    await app.test.owner.query(`UPDATE content_blobs SET used_at = now() - interval '2 days' WHERE NOT whole`);
    expect(await app.database.transaction('system', (tx) => sweepBlobs(tx, 100))).toBeGreaterThan(0);
    expect((await app.test.owner.query('SELECT FROM content_blobs WHERE NOT whole')).rows).toEqual([]);
    expect(await (await download('after.bin')).text()).toBe('x');
  });

  it('counts for the storage of the plan, copies too, until it is gone', async () => {
    const small = await app.provision('small');
    const token = await app.token(small);
    await app.test.owner.query(`UPDATE repositories SET settings = settings || '{"limits": {"storageBytes": 100}}' WHERE id = $1`, [
      small.id,
    ]);
    const call = (path: string, body: RequestInit['body']) => app.call(small, path, { method: 'POST', body: body ?? null, token });
    const send = async (name: string, size: number) =>
      (await call(`/Root/('Content')/upload`, formOf({ ...whole, FileName: name }, Buffer.alloc(size), name))).status;
    const used = async () =>
      (await app.test.owner.query<{ n: string }>('SELECT storage_bytes AS n FROM content_counters WHERE repository_id = $1', [small.id]))
        .rows[0]?.n;
    expect([await send('a', 60), await send('b', 60), await send('c', 40)]).toEqual([200, 409, 200]);
    expect(await used()).toBe('100');
    const batch = (name: string, body: object) => call(`/('Root')/${name}`, JSON.stringify(body)).then((answer) => answer.json());
    const copy = { paths: ['/Root/Content/c'], targetPath: '/Root/Content' };
    expect(await batch('CopyBatch', copy)).toMatchObject({ d: { __count: 0 } });
    await batch('DeleteBatch', { paths: ['/Root/Content/a'], permanent: true });
    expect(await used()).toBe('40');
    expect(await batch('CopyBatch', copy)).toMatchObject({ d: { __count: 1 } });
    expect(await used()).toBe('80');
  });
});

describe('the trash over the wire', () => {
  const call = (path: string, body?: object, token = tool) =>
    app.call(acme, path, { token, ...(body ? { method: 'POST', body: JSON.stringify(body) } : {}) });

  it('what was deleted is listed and given back', async () => {
    await call('/Root/Content', { __ContentType: 'Folder', Name: 'lost' });
    await call(`/('Root')/DeleteBatch`, { paths: ['/Root/Content/lost'] });
    const listed = (await (await call(`/('Root')/GetTrash?$top=1`)).json()) as { d: { results: { Id: number; OriginalPath: string }[] } };
    expect(listed.d.results).toMatchObject([{ OriginalPath: '/Root/Content/lost' }]);
    expect((await (await call(`/('Root')/GetTrash?$top=0`)).json()) as object).toMatchObject({ d: { __count: 0 } });
    expect((await call(`/content(${listed.d.results[0]?.Id})/Restore`, {})).status).toBe(200);
  });
});
