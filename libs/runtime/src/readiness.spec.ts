import { readiness } from './readiness.js';

describe('readiness', () => {
  it('is given when every dependency answers, and names the one that does not', async () => {
    expect(await readiness({ database: async () => 1 })).toEqual({ ready: true, dependencies: { database: 'ok' } });
    const state = await readiness({ database: async () => Promise.reject(new Error('password is hunter2')), queue: async () => 1 });
    expect(state).toEqual({ ready: false, dependencies: { database: 'unreachable', queue: 'ok' } });
  });

  it('is refused for a dependency that hangs', async () => {
    expect(await readiness({ database: () => new Promise(() => {}) })).toMatchObject({ ready: false });
  });
});
