import { startApi, type RunningApi } from './testing/running-api.js';

describe('GET /v1/console', () => {
  let api: RunningApi;
  beforeAll(async () => {
    api = await startApi();
  });
  afterAll(() => api.close());

  it('tells anyone where members sign in and as which client, and nothing else', async () => {
    const response = await fetch(`${api.url}/v1/console`);
    expect(response.status).toBe(200);
    const { rows } = await api.test.owner.query<{ id: string; redirect_uris: string[] }>(
      `SELECT c.id, c.redirect_uris FROM clients c JOIN repositories r ON r.id = c.repository_id WHERE r.slug = 'console' AND c.kind = 'app'`,
    );
    expect(rows).toHaveLength(1);
    expect(rows[0]?.redirect_uris).toEqual(['http://localhost:4000/signed-in']);
    const authority = 'http://localhost:4100/console';
    expect(await response.json()).toEqual({ authority, clientId: rows[0]?.id, signUpUrl: `${authority}/sign-up` });
  });
});
