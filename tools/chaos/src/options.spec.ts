import { parseOptions } from './options.js';

describe('the options of the fire test', () => {
  it('burn for a minute with three authorities and two repository APIs unless told otherwise', () => {
    expect(parseOptions(['--seed', '7'])).toEqual({
      seconds: 60,
      seed: 7,
      authorities: 3,
      repositoryApis: 2,
      folder: undefined,
      report: undefined,
      proveChecker: false,
    });
  });

  it.each([['--seconds', '1'], ['--seconds', 'long'], ['--seconds', '100000'], ['--authorities', '0'], ['--unknown'], ['stray']])(
    'refuse %s %s with a line that says why',
    (...args) => {
      expect(() => parseOptions(args)).toThrow(args[0]);
    },
  );
});
