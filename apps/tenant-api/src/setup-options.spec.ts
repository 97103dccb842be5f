import { parseSetupOptions } from './setup-options.js';

describe('the options of the set-up program', () => {
  it('are none, a tenant to add by its name, or one to bring back by its id', () => {
    const none = { help: false, json: false, tenant: undefined, restore: undefined };
    expect(parseSetupOptions([])).toEqual(none);
    expect(parseSetupOptions(['--tenant', ' Acme '])).toEqual({ ...none, tenant: 'Acme' });
    expect(parseSetupOptions(['--json', '--restore-tenant=x'])).toEqual({ ...none, json: true, restore: 'x' });
  });

  it.each([
    ['a tenant without a name, as of a variable that is not set', ['--tenant', '  '], '--tenant must not be empty'],
    ['a name that no tenant may have', ['--tenant', 'a\nb'], '--tenant must not hold control characters'],
    ['two wishes', ['--tenant', 'a', '--restore-tenant', 'b'], '--tenant goes without --restore-tenant'],
    ['an option that is not known', ['--tenants', 'a'], "Unknown option '--tenants': see --help"],
    ['a word too many', ['--tenant', 'Acme', 'Works'], "Unexpected argument 'Works': see --help"],
  ])('refuse %s', (_what, args, message) => {
    expect(() => parseSetupOptions(args)).toThrow(message);
  });
});
