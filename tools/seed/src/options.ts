import { Complaint, parseKnown, path, wholeNumber } from '@latchkey/start/command-line';

export interface Options {
  repositories: number;
  perTenant: number;
  people: number;
  /** Days of audit trail, usage, jobs that are done and deliveries. */
  history: number;
  /** Absolute. */
  dataDir: string;
  /** Absolute; where credentials of some repositories go. */
  sample: string | undefined;
  sampleSize: number;
  besideOthers: boolean;
}

export const usage = `npm run seed -- --repositories N [options]

Fills an installation, running or stopped, with tenants and repositories that can be used. A run that was ended is gone on with
by the next; --repositories is how many there are in the end.

  --repositories N   so many seeded repositories
  --per-tenant N     repositories of each tenant (100)
  --people N         people in each repository, all with one password (1)
  --history DAYS     so many days of audit trail, usage, done jobs and deliveries for those that have none yet (0)
  --sample FILE      write credentials of some of those made in this run there, mode 0600; nobody can show them again
  --sample-size N    of so many (100)
  --data-dir DIR     the installation (.latchkey); with DATABASE_URL or DATABASE_OWNER_URL, that database
  --beside-others    also where tenants have repositories of their own
`;

const known = {
  repositories: { type: 'string' },
  'per-tenant': { type: 'string', default: '100' },
  people: { type: 'string', default: '1' },
  history: { type: 'string', default: '0' },
  sample: { type: 'string' },
  'sample-size': { type: 'string', default: '100' },
  'data-dir': { type: 'string', default: '.latchkey' },
  'beside-others': { type: 'boolean', default: false },
} as const;

/** @throws Complaint for an option that does not exist or cannot be. */
export function parseOptions(args: string[]): Options {
  const values = parseKnown(args, known);
  if (values.repositories === undefined) throw new Complaint('Say how many with --repositories N.');
  return {
    repositories: wholeNumber('--repositories', values.repositories, 1, 10_000_000),
    perTenant: wholeNumber('--per-tenant', values['per-tenant'], 1, 10_000_000),
    people: wholeNumber('--people', values.people, 0, 1_000),
    history: wholeNumber('--history', values.history, 0, 400),
    dataDir: path('--data-dir', values['data-dir']),
    sample: values.sample === undefined ? undefined : path('--sample', values.sample),
    sampleSize: wholeNumber('--sample-size', values['sample-size'], 1, 10_000_000),
    besideOthers: values['beside-others'],
  };
}
