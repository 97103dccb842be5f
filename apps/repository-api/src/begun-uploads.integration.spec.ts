import { request as open } from 'node:http';
import { setTimeout as wait } from 'node:timers/promises';
import { Blobs } from '@latchkey/content';
import { RunningApp, type ProvisionedForTest } from './testing/running-app.js';

/** Uploads that were begun and never finished lie there as well. */
let app: RunningApp;
let acme: ProvisionedForTest;
let tool: string;
let made = 0;

beforeAll(async () => {
  app = await RunningApp.start();
});
afterAll(() => app.stop());
beforeEach(async () => {
  acme = await app.provision(`acme-${(made += 1)}`);
  tool = await app.token(acme);
  await sql(`UPDATE repositories SET settings = settings || '{"limits": {"storageBytes": 100}}' WHERE id = $1`, acme.id);
});

const sql = async (text: string, ...values: unknown[]) => (await app.test.owner.query(text, values)).rows as { n: string }[];
const used = async () => Number((await sql('SELECT storage_bytes AS n FROM content_counters WHERE repository_id = $1', acme.id))[0]?.n);

/** Sends so many bytes of an upload of 90, from a byte on. */
async function chunk(name: string, token: string | undefined, start: number, size: number): Promise<Response> {
  const form = new FormData();
  const fields = { FileName: name, UseChunk: 'true', FileLength: '90', ChunkToken: token ?? '0*0*False*False', Overwrite: 'true' };
  for (const [field, value] of Object.entries({ ...fields, ...(token ? {} : { create: '1' }) })) form.set(field, value);
  form.set('data', new Blob([Buffer.alloc(size)]), name);
  const headers = { 'content-range': `bytes ${start}-${start + size - 1}/90` };
  return app.call(acme, `/Root/('Content')/upload`, { method: 'POST', token: tool, body: form, headers });
}

describe('uploads that were begun', () => {
  it('count for the storage of the plan, however many are begun at once, and as a file when they are whole', async () => {
    const begun = await Promise.all(Array.from({ length: 8 }, (_, n) => chunk(`n${n}`, undefined, 0, 40)));
    expect(begun.map(({ status }) => status).toSorted((one, other) => one - other)).toEqual([
      200,
      200,
      ...Array.from({ length: 6 }, () => 409),
    ]);
    expect(await used()).toBe(80);
    const tokens = await Promise.all(begun.filter(({ status }) => status === 200).map((answer) => answer.text()));
    // Neither has room for the rest beside the other.
    expect((await chunk('first', tokens[0], 40, 50)).status).toBe(409);
    await sql(`UPDATE content_blobs SET used_at = now() - interval '25 hours' WHERE id = $1`, tokens[1]);
    await new Blobs(app.database, undefined).sweep(100);
    expect(await used()).toBe(40);
    expect((await chunk('first', tokens[0], 40, 50)).status).toBe(200);
    expect(await used()).toBe(90);
    await app.call(acme, `/Root/Content('first')?permanent=true`, { method: 'DELETE', token: tool });
    expect(await used()).toBe(0);
  });

  it('and are not sent in chunks count no more when they were cut short or refused, for nobody can go on with them', async () => {
    const send = (size: number) => {
      const form = new FormData();
      form.set('FileName', 'whole');
      form.set('data', new Blob([Buffer.alloc(size)]), 'whole');
      return app.call(acme, `/Root/('Content')/upload`, { method: 'POST', token: tool, body: form });
    };
    expect((await send(60)).status).toBe(200);
    const value = `/Root/Content('whole')/Binary/$value`;
    expect((await app.call(acme, value, { method: 'PUT', token: tool, body: Buffer.alloc(60) })).status).toBe(409);
    const unfinished = async () =>
      Number((await sql('SELECT count(*) AS n FROM content_blobs WHERE repository_id = $1 AND NOT whole', acme.id))[0]?.n);
    expect([await unfinished(), await used()]).toEqual([0, 60]);
    const { url } = await app.call(acme, value, { token: tool });
    const cut = open(url, { method: 'PUT', headers: { authorization: `Bearer ${tool}`, 'content-length': 30 } });
    cut.on('error', () => undefined).write(Buffer.alloc(20));
    while ((await unfinished()) === 0) await wait(10);
    cut.destroy();
    while ((await unfinished()) > 0) await wait(10);
    expect(await used()).toBe(60);
  });
});
