import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createServer, request } from 'node:http';
import { connect, type AddressInfo } from 'node:net';
import { Readable } from 'node:stream';
import { beginBlob, Blobs, bucketAddress, ObjectStore, StoreUnavailable, wellKnown } from '@latchkey/content';
import { startObjectStore, type TestObjectStore } from '@latchkey/content/testing';
import { ConfigError } from '@latchkey/runtime';
import { RunningApp, type ProvisionedForTest } from './testing/running-app.js';

/** A form as existing clients send it: what to do first, the file last. */
function formOf(fields: Record<string, string>, bytes: Buffer, name = 'a.bin', type = 'application/octet-stream'): FormData {
  const form = new FormData();
  for (const [key, value] of Object.entries(fields)) form.append(key, value);
  form.append(name, new Blob([new Uint8Array(bytes)], { type }), name);
  return form;
}

const inParts = { 'content-type': 'multipart/form-data; boundary=b' };

describe.each([
  ['PostgreSQL', false],
  ['an object store', true],
])('in %s', (_, isBucket) => {
  let app: RunningApp;
  let objects: TestObjectStore | undefined;
  let acme: ProvisionedForTest;
  let tool: string;
  let anna: string;

  beforeAll(async () => {
    objects = isBucket ? await startObjectStore() : undefined;
    app = await RunningApp.start({ files: objects?.address });
    acme = await app.provision('acme');
    tool = await app.token(acme);
    anna = await app.token(acme, { clientId: acme.appClientId, userId: await app.person(acme, 'anna') });
  });
  afterAll(async () => {
    await app.stop();
    await objects?.stop();
  });

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
      ['a form cut short', '--b\r\nContent-Disposition: form-data; name="x"; filename="a"\r\n\r\nabc', inParts],
      ['a part without a name', '--b\r\nContent-Disposition: form-data\r\n\r\nx\r\n--b--\r\n', inParts],
      ['an end within the head of a part', '--b\r\nContent-Disposition: form-data\r\n--b--\r\nafter it', inParts],
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

    it('has the media type and the name that it came with, and none that could not be sent', async () => {
      const form = formOf({ ...whole, FileName: 'typed.txt' }, Buffer.from('x'), 'typed.txt', 'text/plain');
      form.append('File Content Type', 'a\tb\n');
      expect((await upload(form)).status).toBe(200);
      const named = formOf({ ...whole, FileName: 'a\0b' }, Buffer.from('y'));
      const again = { method: 'POST', body: named, token: tool };
      expect((await app.call(acme, `/Root/Content/('typed.txt')/upload`, again)).status).toBe(400);
      expect((await download('typed.txt')).headers.get('content-type')).toBe('text/plain;charset=utf-8');
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
      const begun = async () => (await app.test.owner.query('SELECT FROM content_blobs WHERE NOT whole')).rows.length;
      // The parser keeps back a part of which there is nothing but its head.
      for (const [sent, blobs] of [
        ['', 0],
        [part, 0],
        [`${part}${'x'.repeat(100_000)}`, 1],
      ] as const) {
        const before = await begun();
        const socket = connect(app.port, '127.0.0.1');
        socket.on('error', () => undefined);
        socket.write(`${head}content-type: multipart/form-data; boundary=b\r\ncontent-length: 9000000\r\n\r\n${sent}`);
        await new Promise((resolve) => setTimeout(resolve, 100));
        for (let tries = 0; tries < 600 && (await begun()) < before + blobs; tries++)
          await new Promise((resolve) => setTimeout(resolve, 20));
        await once(socket.resume().end(), 'close');
      }
      expect((await put('after.bin', Buffer.from('x'))).status).toBe(200);
      expect((await download('broken.bin')).status).toBe(404);
      await app.test.owner.query(`UPDATE content_blobs SET used_at = now() - interval '2 days' WHERE NOT whole`);
      const broken = (await app.test.owner.query<{ id: string }>('SELECT id FROM content_blobs WHERE NOT whole')).rows;
      const blobs = new Blobs(app.database, objects && (await ObjectStore.open(objects.address, 'FILES_URL')));
      expect((await blobs.sweep(100)).removed).toBeGreaterThan(0);
      expect((await app.test.owner.query('SELECT FROM content_blobs WHERE NOT whole')).rows).toEqual([]);
      const left = await objects?.keys();
      for (const { id } of broken) expect(left?.filter((key) => key.includes(id)) ?? []).toEqual([]);
      expect(await (await download('after.bin')).text()).toBe('x');
    });

    it('is in use as long as a copy has its bytes, and the sweep need not look at it', async () => {
      const unused = async () =>
        (await app.test.owner.query<{ at: Date | null }>('SELECT used_at AS at FROM content_blobs WHERE length = 77')).rows.map(
          ({ at }) => at !== null,
        );
      const batch = async (name: string, body: object) => {
        const answer = await app.call(acme, `/('Root')/${name}`, { method: 'POST', body: JSON.stringify(body), token: tool });
        return ((await answer.json()) as { d: { results: { Path: string }[] } }).d.results.map(({ Path }) => Path);
      };
      const original = '/Root/Content/original.bin';
      expect((await put('original.bin', Buffer.alloc(77))).status).toBe(200);
      const copies = await batch('CopyBatch', { paths: [original], targetPath: '/Root/Content' });
      expect(await batch('DeleteBatch', { paths: [original], permanent: true })).toEqual([original]);
      expect([copies.length, await unused()]).toEqual([1, [false]]);
      await batch('DeleteBatch', { paths: copies, permanent: true });
      expect(await unused()).toEqual([true]);
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
});

describe('the object store', () => {
  let app: RunningApp;
  let objects: TestObjectStore;
  let acme: ProvisionedForTest;
  let tool: string;

  beforeAll(async () => {
    objects = await startObjectStore();
    app = await RunningApp.start({ files: objects.address });
    acme = await app.provision('acme');
    tool = await app.token(acme);
  });
  afterAll(async () => {
    await app.stop();
    await objects.stop();
  });

  const of = (name: string) => `/Root/Content/('${name}')/Binary/$value`;
  const put = (name: string, bytes: Buffer, at = app) =>
    at.call(acme, `/Root/('Content')/upload`, { method: 'POST', token: tool, body: formOf({ FileName: name }, bytes, name) });
  const get = async (name: string, at = app) => Buffer.from(await (await at.call(acme, of(name), { token: tool })).arrayBuffer());
  const rows = async (text: string) => (await app.test.owner.query<{ n: string }>(text)).rows.map(({ n }) => n);

  it('has the bytes of a file, and PostgreSQL none, until nothing has the file', async () => {
    const bytes = randomBytes(9_000_000);
    await put('large.bin', bytes);
    const [blobId] = await rows('SELECT blob_id AS n FROM content_binaries');
    expect(await objects.keys(`${acme.id}/${blobId}/`)).toHaveLength(2);
    expect(await rows('SELECT start AS n FROM content_blob_chunks WHERE bytes IS NOT NULL')).toEqual([]);
    expect((await get('large.bin')).equals(bytes)).toBe(true);
    const part = await app.call(acme, of('large.bin'), { token: tool, headers: { range: 'bytes=8388600-8388620' } });
    expect(Buffer.from(await part.arrayBuffer()).equals(bytes.subarray(8_388_600, 8_388_621))).toBe(true);
    await app.call(acme, `/Root/Content/('large.bin')?permanent=true`, { method: 'DELETE', token: tool });
    await app.test.owner.query(`UPDATE content_blobs SET used_at = now() - interval '2 hours'`);
    const none = await new Blobs(app.database, undefined).sweep(100);
    expect(none).toEqual({ removed: 0, outOfReach: true });
    const blobs = new Blobs(app.database, await ObjectStore.open(objects.address, 'FILES_URL'));
    expect(await blobs.sweep(100)).toEqual({ removed: 1, outOfReach: false });
    expect(await objects.keys()).toEqual([]);
  });

  it('takes one of two calls that go on with one upload, and what the other sent changes nothing', async () => {
    const caller = {
      tenantId: acme.tenantId,
      repositoryId: acme.id,
      userId: wellKnown.admin,
      permissions: new Set<string>(),
    };
    const scope = { tenantId: acme.tenantId, repositoryId: acme.id };
    const blobId = await app.database.transaction(scope, (tx) => beginBlob(tx, caller));
    const blobs = new Blobs(app.database, await ObjectStore.open(objects.address, 'FILES_URL'));
    const send = (text: string) => blobs.append(caller, blobId, 0, Readable.from([Buffer.from(text)])).then(() => text);
    const ended = await Promise.allSettled([send('one'), send('two')]);
    const won = ended.flatMap((end) => (end.status === 'fulfilled' ? [end.value] : []));
    expect(won).toHaveLength(1);
    const got: Buffer[] = [];
    for await (const bytes of blobs.read(caller, blobId, 0, 3)) got.push(bytes);
    expect(Buffer.concat(got).toString()).toBe(won[0]);
  });

  it('and PostgreSQL are read side by side, when the setting has changed', async () => {
    const other = await RunningApp.start({ test: app.test });
    await put('there.txt', Buffer.from('there'));
    await put('here.txt', Buffer.from('here'), other);
    expect([(await get('there.txt')).toString(), (await get('here.txt')).toString()]).toEqual(['there', 'here']);
    expect((await get('here.txt', other)).toString()).toBe('here');
    expect((await other.call(acme, of('there.txt'), { token: tool })).status).toBe(503);
    await other.stopAlone();
  });

  it.each([
    ['no such bucket', (url: string) => url.replace('/files', '/elsewhere'), /404/],
    ['a wrong key', (url: string) => url.replace('S3RVER@', 'hunter2@'), /403/],
    ['nobody there', (url: string) => url.replace(/:\d+\//, ':9/'), /ECONNREFUSED|bad port|fetch failed/],
  ])('is tried at the start, which ends when there is %s', async (_, change, reason) => {
    const { endpoint } = objects.address;
    const address = bucketAddress.parse(change(endpoint.replace('http://', 'http://S3RVER:S3RVER@')));
    const refused = await RunningApp.start({ test: app.test, files: address }).catch((error: unknown) => error);
    expect(refused).toBeInstanceOf(ConfigError);
    expect((refused as Error).message).toMatch(/FILES_URL: the bucket at http/);
    expect((refused as Error).message).toMatch(reason);
    expect((refused as Error).message).not.toContain('hunter2');
  });

  it.each(['ftp://a:b@host/bucket', 'https://host/bucket', 'https://a:b@host/bucket/below', 'bucket'])('cannot be at %s', (text) => {
    expect(bucketAddress.safeParse(text).success).toBe(false);
  });

  it('is asked three times at most when it fails by its own fault, and once when it refuses', async () => {
    const answers: number[] = [];
    let asked = 0;
    const { endpoint } = objects.address;
    const between = createServer((call, answer) => {
      asked += 1;
      const status = answers.shift();
      if (status !== undefined) return void answer.writeHead(status).end();
      const passed = request(new URL(call.url ?? '', endpoint), { method: call.method!, headers: call.headers }, (from) => {
        answer.writeHead(from.statusCode!, from.headers);
        from.pipe(answer);
      });
      call.pipe(passed);
    });
    await new Promise<void>((resolve) => void between.listen(0, '127.0.0.1', resolve));
    const address = { ...objects.address, endpoint: endpoint.replace(/:\d+\//, `:${(between.address() as AddressInfo).port}/`) };
    const store = await ObjectStore.open(address, 'FILES_URL');
    const put = async (...failures: number[]) => {
      asked = 0;
      answers.splice(0, answers.length, ...failures);
      const done = await store.put('again', Buffer.from('again')).then(
        () => 'done',
        (error: unknown) => error,
      );
      return [asked, done];
    };
    expect(await put(500, 429)).toEqual([3, 'done']);
    expect(await put(500, 503, 500, 500)).toEqual([3, expect.any(StoreUnavailable)]);
    expect(await put(403, 403)).toEqual([1, expect.any(StoreUnavailable)]);
    between.close();
  });

  it('that is away is a 503, and everything else goes on', async () => {
    await put('away.txt', Buffer.from('away'));
    await objects.stop();
    const down = await app.call(acme, of('away.txt'), { token: tool });
    expect([down.status, await down.text()]).toEqual([503, expect.stringContaining('cannot be reached') as string]);
    expect((await put('more.txt', Buffer.from('more'))).status).toBe(503);
    expect((await app.call(acme, `/Root/Content/('away.txt')`, { token: tool })).status).toBe(200);
  });
});
