import type { AddressInfo } from 'node:net';
import { Counter, measureProcess, metrics } from '@latchkey/runtime';
import { createHealthServer, listen } from './health.js';

let reachable = true;
const server = createHealthServer({
  database: async () => undefined,
  queue: async () => {
    if (!reachable) throw new Error('postgres://user:hunter2@host');
  },
});
let origin: string;

beforeAll(async () => {
  await listen(server, '127.0.0.1', 0);
  origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterAll(() => void server.close());

describe('the health of the worker', () => {
  it('is alive as long as it answers', async () => {
    expect((await fetch(`${origin}/healthz`)).status).toBe(200);
  });

  it('is ready when every dependency answers', async () => {
    const answer = await fetch(`${origin}/readyz`);
    expect(answer.status).toBe(200);
    expect(await answer.json()).toEqual({ ready: true, dependencies: { database: 'ok', queue: 'ok' } });
  });

  it('names the dependency that does not, and not why', async () => {
    reachable = false;
    const answer = await fetch(`${origin}/readyz`);
    expect(answer.status).toBe(503);
    expect(await answer.json()).toEqual({ ready: false, dependencies: { database: 'ok', queue: 'unreachable' } });
  });

  it('shows what the process measures, its own metrics among them, as Prometheus reads it', async () => {
    measureProcess();
    measureProcess();
    new Counter({ name: 'latchkey_test_total', help: 'Of this test', registers: [metrics] }).inc(3);
    const answer = await fetch(`${origin}/metrics`);
    expect(answer.headers.get('content-type')).toMatch(/^text\/plain; version=0\.0\.4/);
    const text = await answer.text();
    expect(text).toMatch(/^latchkey_test_total 3$/m);
    expect(text).toMatch(/^process_cpu_seconds_total /m);
  });

  it('serves nothing else', async () => {
    expect((await fetch(`${origin}/`)).status).toBe(404);
  });
});
