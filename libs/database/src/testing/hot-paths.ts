import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import pg from 'pg';

/** What a request cost at the database. */
export interface Cost {
  /** Sent to it; what begins a transaction and enters its scope is one, and so is what ends it. */
  statements: number;
  /**
   * How often something was sent that had to wait for an answer, and that somebody waited for. What is sent on several
   * connections before any of it has been answered is one.
   */
  roundTrips: number;
}

interface Watched {
  /** It is in a transaction that changes nothing, for whose end nobody waits. */
  reading?: boolean;
}

type Query = (this: pg.Client & Watched, ...args: unknown[]) => unknown;

const total: Cost = { statements: 0, roundTrips: 0 };
let watching = false;
/** Something has been answered since the latest round trip began, so that what is sent next begins another. */
let answered = true;

/** Written in batches, off the path of every request. */
const offThePath = /record_uses|record_calls|beat_node|report_refusals|ended_by/;

/** Looks at every statement that leaves this process by the driver, whoever sends it. */
function watch(): void {
  if (watching) return;
  watching = true;
  const prototype = pg.Client.prototype as unknown as { query: Query };
  const { query } = prototype;
  prototype.query = function (...args) {
    const [first] = args as [string | { text?: string }];
    const text = (typeof first === 'string' ? first : first.text) ?? '';
    if (offThePath.test(text)) return query.apply(this, args);
    if (text.startsWith('START TRANSACTION')) this.reading = text.includes('READ ONLY');
    const waitedFor = !(this.reading && text === 'COMMIT');
    total.statements += 1;
    if (waitedFor) {
      if (answered) total.roundTrips += 1;
      answered = false;
    }
    const noteAnswer = () => (answered = true);
    const last = args.at(-1);
    if (typeof last === 'function')
      args[args.length - 1] = (...results: unknown[]) => {
        noteAnswer();
        (last as (...results: unknown[]) => void)(...results);
      };
    const result = query.apply(this, args);
    if (result instanceof Promise) result.then(noteAnswer, noteAnswer);
    return result;
  };
}

/** Counts what this process sends to the database while the work is done: nothing else may go on meanwhile. */
export async function costOf(work: () => Promise<unknown>): Promise<Cost> {
  watch();
  answered = true;
  const before = { ...total };
  await work();
  return { statements: total.statements - before.statements, roundTrips: total.roundTrips - before.roundTrips };
}

const page = fileURLToPath(new URL('../../../../docs/hot-paths.md', import.meta.url));

/** What docs/hot-paths.md says that a path costs. @throws when it says nothing of it. */
export async function documentedCost(path: string): Promise<Cost> {
  for (const line of (await readFile(page, 'utf8')).split('\n')) {
    const [, name, statements, roundTrips] = line.split('|').map((cell) => cell.trim());
    if (name === path) return { statements: Number(statements), roundTrips: Number(roundTrips) };
  }
  throw new Error(`docs/hot-paths.md does not say what this costs: ${path}`);
}
