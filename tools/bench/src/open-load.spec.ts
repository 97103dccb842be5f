import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as wait } from 'node:timers/promises';
import { givenShareMeter } from './machine.js';
import { OpenLoad } from './open-load.js';
import { written } from './raw-load.js';

const stat = (...processors: number[][]) =>
  ['cpu  1 2 3 4 5 6 7 8 9 10', ...processors.map((times, number) => `cpu${number} ${times.join(' ')} 0 0`), 'intr 5', ''].join('\n');

describe('a load at a rate of its own', () => {
  it('asks for less by the share of the machine that the host gives to others', async () => {
    const server = createServer((_, response) => void response.end('{}')).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const request = written({ method: 'GET', path: '/', headers: {}, body: '' });
    const [whole, quarter] = [new OpenLoad(origin, () => request), new OpenLoad(origin, () => request)];
    const both = Promise.all([whole.run(400, 4), quarter.run(400, 4, () => 0.25)]);
    await wait(1_500);
    for (const load of [whole, quarter]) load.stop();
    await both;
    server.close();
    expect([whole.held.failed, quarter.held.failed]).toEqual([0, 0]);
    // What a slow machine leaves unsent counts for neither: `sent` is held down by the connections, and more so for the one that asks for more.
    expect(quarter.held.planned / whole.held.planned).toBeCloseTo(0.25, 1);
    for (const { held } of [whole, quarter]) {
      expect(held.sent).toBeGreaterThan(20);
      expect(held.sent).toBeLessThanOrEqual(held.planned);
    }
  });
});

describe('the share of the machine', () => {
  it('is that of the processor that got least of what it wanted since it was last asked', () => {
    const seen = [
      stat([10, 0, 10, 50, 0, 0, 0, 5], [10, 0, 10, 50, 0, 0, 0, 5]),
      // 30 of 40, and 10 of 40; all that is idle or waits for a disk is not wanted.
      stat([20, 5, 20, 90, 9, 3, 2, 15], [15, 0, 15, 60, 9, 0, 0, 35]),
      stat([20, 5, 20, 190, 9, 3, 2, 15], [15, 0, 15, 160, 9, 0, 0, 35]),
    ];
    const share = givenShareMeter(() => seen.shift()!);
    expect([share(), share()]).toEqual([0.25, 1]);
  });

  it('is all of it where nobody tells', () => {
    const share = givenShareMeter(() => {
      throw new Error('ENOENT');
    });
    expect(share()).toBe(1);
  });
});
