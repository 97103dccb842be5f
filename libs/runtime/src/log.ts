import { pino, type Logger } from 'pino';

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
    { write: (line: string) => void process.stdout.write(redact(line)) },
  );
}
