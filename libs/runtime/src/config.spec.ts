import { z } from 'zod';
import { ConfigError, loadConfig, port } from './config.js';

const schema = z.object({ DATABASE_URL: z.url(), PORT: port, MODE: z.enum(['a', 'b']).default('a') });

describe('the configuration', () => {
  it('takes its values from the environment and fills in defaults', () => {
    expect(loadConfig(schema, { DATABASE_URL: 'postgres://h/d', PORT: '80', MODE: '' })).toEqual({
      DATABASE_URL: 'postgres://h/d',
      PORT: 80,
      MODE: 'a',
    });
  });

  it('names every fault at once and prints no value', () => {
    const load = () => loadConfig(schema, { DATABASE_URL: 'hunter2', MODE: 'hunter2' });
    expect(load).toThrow(ConfigError);
    try {
      load();
    } catch (error) {
      const { message } = error as Error;
      for (const name of ['DATABASE_URL', 'PORT', 'MODE']) expect(message).toContain(name);
      expect(message).not.toContain('hunter2');
    }
  });
});
