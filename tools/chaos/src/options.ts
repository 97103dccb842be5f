import { parseKnown, wholeNumber } from '@latchkey/start/command-line';

/** What a person may choose. */
export interface Options {
  seconds: number;
  seed: number;
  authorities: number;
  repositoryApis: number;
  /** Below it a folder is made in which everything of the run is kept; else it goes with a run that found nothing. */
  folder: string | undefined;
  /** Where the result goes as JSON. */
  report: string | undefined;
  /** Instead of testing the product: test that the checker finds two faulty checks. */
  proveChecker: boolean;
}

/** What a person who asks for --help is told. */
export const usage = `npm run chaos -- [options]

  --seconds N          how long it burns (60)
  --seed N             choices come again with the same seed; timing does not
  --authorities N      processes of the authority (3)
  --repository-apis N  of the repository API (2)
  --folder DIR         keep database, logs and history, in a new folder there
  --report FILE        write the result there as JSON
  --prove-checker      test the test: two faulty checks must be found

Guide: docs/guides/fire-test.md
`;

const known = {
  seconds: { type: 'string', default: '60' },
  seed: { type: 'string' },
  authorities: { type: 'string', default: '3' },
  'repository-apis': { type: 'string', default: '2' },
  folder: { type: 'string' },
  report: { type: 'string' },
  'prove-checker': { type: 'boolean', default: false },
} as const;

/** @throws Complaint that says which option is wrong. */
export function parseOptions(args: string[]): Options {
  const values = parseKnown(args, known);
  return {
    seconds: wholeNumber('--seconds', values.seconds, 5, 7_200),
    seed: wholeNumber('--seed', values.seed ?? String(Math.floor(Math.random() * 1_000_000_000)), 0, 2_147_483_647),
    authorities: wholeNumber('--authorities', values.authorities, 1, 16),
    repositoryApis: wholeNumber('--repository-apis', values['repository-apis'], 1, 16),
    folder: values.folder,
    report: values.report,
    proveChecker: values['prove-checker'],
  };
}
