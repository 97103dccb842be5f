import { z } from 'zod';
import { ConfigError, dnsServers, loadConfig, port, trustedProxies } from './config.js';

const schema = z.object({ DATABASE_URL: z.url(), PORT: port, MODE: z.enum(['a', 'b']).default('a') });

const lists = z.object({ TRUSTED_PROXIES: trustedProxies, DNS_SERVERS: dnsServers });

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

  it.each([
    ['TRUSTED_PROXIES', '10.0.0.0/8, 127.0.0.1,fd00::/8', ['10.0.0.0/8', '127.0.0.1', 'fd00::/8']],
    ['TRUSTED_PROXIES', undefined, []],
    ['DNS_SERVERS', '1.1.1.1,127.0.0.1:5300, [::1]:53,fd00::1', ['1.1.1.1', '127.0.0.1:5300', '[::1]:53', 'fd00::1']],
    ['DNS_SERVERS', undefined, []],
  ])('reads the addresses in %s=%s', (name, text, expected) => {
    expect(loadConfig(lists, { [name]: text })).toMatchObject({ [name]: expected });
  });

  it.each([
    ['TRUSTED_PROXIES', ['banana', '10.0.0.0/33', '10.0.0.0/0', '10.0.0.0/8/8', '10.0.0.0/x', '127.0.0.1,', 'fd00::/129']],
    ['DNS_SERVERS', ['banana', '1.2.3', '1.1.1.1:', '[1.1.1.1]:53', '1.1.1.1,', '[::1]:port']],
  ])('refuses a wrong address in %s by its name, at the start', (name, texts) => {
    for (const text of texts) expect(() => loadConfig(lists, { [name]: text })).toThrow(`${name}: must be addresses`);
  });
});
