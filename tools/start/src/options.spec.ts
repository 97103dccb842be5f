import { parseOptions } from './options.js';

describe('parseOptions', () => {
  it('has a default for everything', () => {
    expect(parseOptions([])).toEqual({
      portBase: 4000,
      dataDir: `${process.cwd()}/.latchkey`,
      credentialsFile: undefined,
      authorities: 1,
      repositoryApis: 1,
    });
  });

  it('takes every option, with files resolved against the present folder', () => {
    const args = [
      '--port-base=5000',
      '--data-dir',
      '/srv/data',
      '--credentials-file',
      'c.json',
      '--authorities',
      '2',
      '--repository-apis',
      '3',
    ];
    expect(parseOptions(args)).toEqual({
      portBase: 5000,
      dataDir: '/srv/data',
      credentialsFile: `${process.cwd()}/c.json`,
      authorities: 2,
      repositoryApis: 3,
    });
  });

  it.each([
    [['--port', '1'], /^Unknown option '--port'\. Known options: --port-base, /],
    [['--port-base'], /^Option '--port-base <value>' argument missing\. Known options: /],
    [['--data-dir', ''], /^--data-dir must name a path\.$/],
    [['stray'], /^Unexpected argument 'stray'\. Known options: /],
    [['--port-base', '0'], /^--port-base must be a whole number from 1 to 65235, not "0"\.$/],
    [['--port-base', '65236'], /not "65236"/],
    [['--port-base', '4e3'], /not "4e3"/],
    [['--authorities', '0'], /^--authorities must be a whole number from 1 to 64/],
    [['--repository-apis', '-1'], /'--repository-apis' argument/],
    [['--repository-apis=-1'], /not "-1"/],
  ])('refuses %j in one line', (args, line) => {
    expect(() => parseOptions(args)).toThrow(line);
    try {
      parseOptions(args);
    } catch (error) {
      expect((error as Error).message).not.toContain('\n');
    }
  });
});
