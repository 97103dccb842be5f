import { parseKnown, path, wholeNumber } from './command-line.js';

/** What a person may choose when starting the system. */
export interface Options {
  /** Tenant API and portal; the authority is on +100, the repository API on +200, the worker's health on +300. */
  portBase: number;
  /** Absolute. */
  dataDir: string;
  /** Absolute; the first tenant's credential goes there, at the first start only. */
  credentialsFile: string | undefined;
  authorities: number;
  repositoryApis: number;
}

/** What a person who asks for --help is told. */
export const usage = `npm start -- [options]

  --port-base N           tenant API and portal on N, authority on N+100, repository API on N+200, worker on N+300 (4000)
  --data-dir DIR          everything that is kept (.latchkey)
  --credentials-file FILE at the first start: also write the first tenant's credential there
  --authorities N         so many processes of the authority behind its port (1)
  --repository-apis N     so many of the repository API (1)

SIGUSR2 starts every app anew, one process after the other: where there are several of an app, no request is lost.

Environment: DATABASE_URL (no embedded database), QUEUE_URL=redis://… (else the queue is in PostgreSQL), LOG_LEVEL.
Guide: docs/guides/operate.md
`;

/** Processes behind one port listen on a port of their own too, and those must end before the next app's. */
const mostProcesses = 64;
const highestPort = 65_535;

const known = {
  'port-base': { type: 'string', default: '4000' },
  'data-dir': { type: 'string', default: '.latchkey' },
  'credentials-file': { type: 'string' },
  authorities: { type: 'string', default: '1' },
  'repository-apis': { type: 'string', default: '1' },
} as const;

/** @throws Complaint for an option that does not exist or cannot be. */
export function parseOptions(args: string[]): Options {
  const values = parseKnown(args, known);
  return {
    portBase: wholeNumber('--port-base', values['port-base'], 1, highestPort - 300),
    dataDir: path('--data-dir', values['data-dir']),
    credentialsFile: values['credentials-file'] === undefined ? undefined : path('--credentials-file', values['credentials-file']),
    authorities: wholeNumber('--authorities', values.authorities, 1, mostProcesses),
    repositoryApis: wholeNumber('--repository-apis', values['repository-apis'], 1, mostProcesses),
  };
}
