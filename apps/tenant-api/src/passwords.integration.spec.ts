import { passwordLengths, shortestPassword, type SecondFactorMode } from '@latchkey/contracts';
import { startApi, type RunningApi } from './testing/running-api.js';

let api: RunningApi;

beforeAll(async () => {
  api = await startApi();
  await api.tenant.call('POST', '/v1/repositories', { slug: 'acme', name: 'Acme', environment: 'production' });
});
afterAll(() => api.close());

let made = 0;
const faultOf = async (password: string) => {
  const answer = await api.tenant.call('POST', '/v1/repositories/acme/users', { loginName: `user-${made++}`, password });
  return answer.status === 201 ? undefined : ((await answer.json()) as { errors: { detail: string }[] }).errors[0]?.detail;
};

describe('a password that is too short', () => {
  it.each<[SecondFactorMode, number]>([
    ['optional', passwordLengths.alone],
    ['forced', passwordLengths.withSecondFactor],
  ])('is told the one length that holds where a second factor is %s, however short it is', async (secondFactor, shortest) => {
    expect((await api.tenant.call('PATCH', '/v1/repositories/acme', { secondFactor })).status).toBe(200);
    expect(shortestPassword({ secondFactor })).toBe(shortest);
    const words = 'kvjxqzwpylmnrtb'.slice(0, shortest);
    for (const password of ['', 'x', words.slice(0, 7), words.slice(0, -1)])
      expect(await faultOf(password)).toBe(`must be at least ${shortest} characters`);
    expect(await faultOf(words)).toBeUndefined();
  });
});
