import { destination, pino, type Logger } from 'pino';

export type { Logger };

/** Members whose value is never written, wherever they turn up in a logged object. */
const secretMembers = [
  'authorization',
  'cookie',
  'set-cookie',
  'apikey',
  'password',
  'secret',
  'client_secret',
  'value',
  'token',
  'access_token',
  'refresh_token',
  'id_token',
];

/** Anything in a text that is shaped like one of our secrets or like a JWT. */
const secretShapes =
  /lk_(?:live|test)_[a-z]{2}_\w+|whsec_[\w+/=-]+|eyJ[\w-]+\.[\w-]+\.[\w-]*|((?:apikey|token|code|secret|password)=)[^&\s"]+/gi;

/** The text without anything that is shaped like a secret. */
export function redact(text: string): string {
  return text.replace(secretShapes, (_, name?: string) => `${name ?? ''}[secret]`);
}

/** Characters that wait at most to be written. Further lines are lost rather than the process. */
const maxUnwritten = 64 * 1024 * 1024;

let output: ReturnType<typeof destination> | undefined;

/**
 * Standard output, written beside the event loop: a disk or a reader that takes its time holds up no request. What was logged
 * before the process exits is written first, also when it exits by an error.
 */
function standardOutput() {
  if (!output) {
    const made = destination({ dest: 1, sync: false, maxLength: maxUnwritten });
    made.on('error', ({ code }: NodeJS.ErrnoException) => {
      if (code === 'EPIPE') return; // Nobody reads any more, and what is written from now on goes nowhere.
      // A full disk is no reason to refuse anybody. What it had no room for is let go, as it would be tried for ever at the exit.
      made.destroy();
      output = undefined;
    });
    output = made;
  }
  return output;
}

/**
 * A JSON logger to standard output that cannot print a secret: members with a telling name are censored, and every
 * finished line is searched for the shape of a secret.
 */
export function createLogger(app: string, level = 'info'): Logger {
  return pino(
    {
      level,
      base: { app, pid: process.pid },
      redact: { paths: secretMembers.flatMap((name) => [`["${name}"]`, `*["${name}"]`, `*.*["${name}"]`]), censor: '[secret]' },
    },
    { write: (line: string) => void standardOutput().write(redact(line)) },
  );
}
