import { resolve } from 'node:path';
import { parseArgs, type ParseArgsConfig } from 'node:util';
import { Complaint } from './complaint.js';

export { Complaint } from './complaint.js';

/** Reads options, and nothing but options. @throws Complaint that names those that there are. */
export function parseKnown<Known extends NonNullable<ParseArgsConfig['options']>>(args: string[], options: Known) {
  try {
    return parseArgs({ args, options }).values;
  } catch (error) {
    // The parser's first sentence says what; the rest is about how to quote.
    const [reason] = (error as Error).message.split(/(?<=')\. |\n/);
    const names = Object.keys(options).map((name) => `--${name}`);
    throw new Complaint(`${reason!.replace(/\.$/, '')}. Known options: ${names.join(', ')}.`);
  }
}

/** An absolute path. @throws Complaint for none. */
export function path(option: string, text: string): string {
  if (text === '') throw new Complaint(`${option} must name a path.`);
  return resolve(text);
}

/** @throws Complaint for anything but a whole number within these bounds. */
export function wholeNumber(option: string, text: string, least: number, most: number): number {
  const number = /^\d+$/.test(text) ? Number(text) : Number.NaN;
  if (number >= least && number <= most) return number;
  throw new Complaint(`${option} must be a whole number from ${least} to ${most}, not "${text}".`);
}
