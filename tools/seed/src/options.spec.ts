import { parseOptions } from './options.js';

describe('the options of seeding', () => {
  it('have defaults for all but how many', () => {
    expect(parseOptions(['--repositories', '100'])).toMatchObject({
      repositories: 100,
      perTenant: 100,
      people: 1,
      history: 0,
      besideOthers: false,
    });
    expect(() => parseOptions([])).toThrow('Say how many with --repositories N.');
  });

  it.each([
    [['--repositories', 'many'], '--repositories must be a whole number from 1 to 10000000, not "many".'],
    [['--repositories', '0'], '--repositories must be a whole number'],
    [['--repositories', '1', '--history', '-1'], 'history'],
    [['--repositories', '1', '--history', '401'], '--history must be a whole number from 0 to 400, not "401".'],
    [['--repositories', '1', '--sample', ''], '--sample must name a path.'],
    [['--reposotories', '1'], "Unknown option '--reposotories'. Known options: --repositories, --per-tenant,"],
    [['--repositories'], '--repositories'],
    [['100'], "Unexpected argument '100'"],
  ])('refuse %j and say why', (args, reason) => {
    expect(() => parseOptions(args)).toThrow(reason);
  });
});
