import { createReadStream, createWriteStream, type WriteStream } from 'node:fs';
import { finished } from 'node:stream/promises';
import { createInterface } from 'node:readline';
import type { Entry } from './history.js';

/** Writes the history of a run, as it happens. */
export class Recorder {
  readonly #file: WriteStream;
  /** Entries by type, and faults and calls by what they were. */
  readonly counts = new Map<string, number>();

  constructor(readonly path: string) {
    this.#file = createWriteStream(path, { mode: 0o600 });
  }

  write(entry: Entry): void {
    this.#count(entry.type);
    if (entry.type === 'fault') this.#count(`fault ${entry.kind}`);
    this.#file.write(`${JSON.stringify(entry)}\n`);
  }

  /** Counts something that the history does not hold. */
  count(name: string): void {
    this.#count(name);
  }

  async close(): Promise<void> {
    this.#file.end();
    await finished(this.#file);
  }

  #count(name: string): void {
    this.counts.set(name, (this.counts.get(name) ?? 0) + 1);
  }
}

/** Reads a history back, whole. Of one that is still written, a last line that is not yet complete is left out. */
export async function readHistory(path: string): Promise<Entry[]> {
  const entries: Entry[] = [];
  let last: string | undefined;
  for await (const line of createInterface({ input: createReadStream(path) })) {
    if (last !== undefined) entries.push(JSON.parse(last) as Entry);
    last = line;
  }
  try {
    if (last !== undefined) entries.push(JSON.parse(last) as Entry);
  } catch {
    // It is being written.
  }
  return entries;
}
