import { costOf, documentedCost } from '@latchkey/database/testing';
import { RunningApp, type ProvisionedForTest } from './testing/running-app.js';

let app: RunningApp;
let shop: ProvisionedForTest;

beforeAll(async () => {
  app = await RunningApp.start();
  shop = await app.provision('shop');
});
afterAll(() => app.stop());

describe('what a read at the repository API costs the database is what docs/hot-paths.md says', () => {
  const read = async (headers: Record<string, string>) => {
    const answer = await app.call(shop, `/('Root')?metadata=no&$select=Id,Name`, { headers });
    expect(answer.status).toBe(200);
    await answer.text();
  };

  it.each([
    ['small read, token', async () => ({ authorization: `Bearer ${await app.token(shop)}` })],
    ['small read, API key', async () => ({ apikey: (await app.apiKey(shop, await app.person(shop, 'anna', true))).value })],
  ])('of a %s', async (path, credential) => {
    const headers = await credential();
    await read(headers);
    expect({ path, ...(await costOf(() => read(headers))) }).toEqual({ path, ...(await documentedCost(path)) });
  });
});
