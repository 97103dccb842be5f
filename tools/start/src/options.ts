import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { Complaint } from './complaint.js';

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

/** Processes behind one port listen on a port of their own too, and those must end before the next app's. */
const mostProcesses = 64;
const highestPort = 65_535;

/** @throws Complaint for an option that does not exist or cannot be. */
export function parseOptions(args: string[]): Options {
  const values = parse(args);
  return {
    portBase: wholeNumber('--port-base', values['port-base'], 1, highestPort - 300),
    dataDir: resolve(values['data-dir']),
    credentialsFile: values['credentials-file'] === undefined ? undefined : resolve(values['credentials-file']),
    authorities: wholeNumber('--authorities', values.authorities, 1, mostProcesses),
    repositoryApis: wholeNumber('--repository-apis', values['repository-apis'], 1, mostProcesses),
  };
}

function parse(args: string[]) {
  try {
    const options = {
      'port-base': { type: 'string', default: '4000' },
      'data-dir': { type: 'string', default: '.latchkey' },
      'credentials-file': { type: 'string' },
      authorities: { type: 'string', default: '1' },
      'repository-apis': { type: 'string', default: '1' },
    } as const;
    return parseArgs({ args, options }).values;
  } catch (error) {
    // The parser's first sentence says what; the rest is about how to quote.
    const [reason] = (error as Error).message.split(/(?<=')\. |\n/);
    throw new Complaint(
      `${reason!.replace(/\.$/, '')}. Known options: --port-base N, --data-dir DIR, --credentials-file FILE, --authorities N, --repository-apis N.`,
    );
  }
}

function wholeNumber(option: string, text: string, least: number, most: number): number {
  const number = /^\d+$/.test(text) ? Number(text) : Number.NaN;
  if (number >= least && number <= most) return number;
  throw new Complaint(`${option} must be a whole number from ${least} to ${most}, not "${text}".`);
}
