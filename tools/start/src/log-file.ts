import { copyFileSync, closeSync, fstatSync, ftruncateSync, openSync, readSync, renameSync } from 'node:fs';
import { StringDecoder } from 'node:string_decoder';

/** A file that a process writes its output to, and that we read along. */
export interface LogFile {
  path: string;
  /** To be handed to the process: it keeps writing there when we are killed. */
  descriptor: number;
  /** The lines written since the last call. Empties the file, keeping one older copy, when it has grown too large. */
  newLines(): string[];
  close(): void;
}

const largestBytes = 20 * 1024 * 1024;
/** More than this between two calls is not read, only kept in the file. */
const largestReadBytes = 1024 * 1024;

/** Begins a new file; what the previous start wrote is kept once as `<path>.1`. */
export function openLogFile(path: string): LogFile {
  try {
    renameSync(path, `${path}.1`);
  } catch {
    // There was none.
  }
  // Appending makes it safe to empty the file under the process that writes it.
  const descriptor = openSync(path, 'a+', 0o600);
  const decoder = new StringDecoder('utf8');
  let position = 0;
  let begun = '';
  return {
    path,
    descriptor,
    newLines() {
      const { size } = fstatSync(descriptor);
      const from = Math.max(position, size - largestReadBytes);
      const buffer = Buffer.alloc(Math.max(0, size - from));
      const length = readSync(descriptor, buffer, 0, buffer.length, from);
      position = from + length;
      if (size > largestBytes) {
        keepCopy(path);
        ftruncateSync(descriptor);
        position = 0;
      }
      const lines = (begun + decoder.write(buffer.subarray(0, length))).split('\n');
      begun = lines.pop()!;
      return lines;
    },
    close: () => closeSync(descriptor),
  };
}

function keepCopy(path: string): void {
  try {
    copyFileSync(path, `${path}.1`);
  } catch {
    // Where there is no room for a copy, emptying the file is what is needed most.
  }
}

/** What a person should see of an app's output: errors of its JSON log, and what is not JSON, such as a crash; no warnings. */
export function worthShowing(line: string): string | undefined {
  if (!line.startsWith('{')) return line.trim() === '' || /\bwarning\b/i.test(line) ? undefined : line;
  try {
    const { level, msg, err } = JSON.parse(line) as { level?: number; msg?: string; err?: { message?: string } };
    if (typeof level === 'number' && level < 50) return undefined;
    return [msg, err?.message].filter((text, index, all) => text && all.indexOf(text) === index).join(': ') || line;
  } catch {
    return line;
  }
}
