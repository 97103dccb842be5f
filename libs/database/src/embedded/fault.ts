/** The embedded PostgreSQL cannot run here; the message is one line that says what is wrong and what to do. */
export class EmbeddedPostgresError extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'EmbeddedPostgresError';
  }
}

/** Turns what the file system or PostgreSQL said into the one line that a person can act on. */
export function inOneLine(error: unknown, dataDir: string): EmbeddedPostgresError {
  if (error instanceof EmbeddedPostgresError) return error;
  const { code, message = String(error) } = error as Partial<NodeJS.ErrnoException>;
  const say = (line: string) => new EmbeddedPostgresError(line, { cause: error });
  if (code === 'ENOSPC' || /No space left on device|Disk quota exceeded/i.test(message)) {
    return say(`The disk that holds ${dataDir} is full: free some space or choose another folder with --data-dir.`);
  }
  if (['EACCES', 'EPERM', 'EROFS', 'ENOTDIR', 'EEXIST'].includes(code ?? '') || /Permission denied|Read-only file system/i.test(message)) {
    return say(`Cannot write to ${dataDir}: make it a writable folder or choose another one with --data-dir.`);
  }
  if (code === '28P01') {
    return say(
      `The database in ${dataDir} refuses the password kept beside it: restore the file owner-password, or start anew in another folder with --data-dir.`,
    );
  }
  if (/incompatible with server|not compatible with this version/i.test(message)) {
    return say(
      `The database in ${dataDir} was made by another PostgreSQL version: choose another folder with --data-dir, or set DATABASE_URL.`,
    );
  }
  const firstLine = message.split('\n').find((line) => line.trim() !== '') ?? 'unknown reason';
  return say(
    `The embedded PostgreSQL in ${dataDir} did not start (${firstLine.trim()}); see ${dataDir}/postgres.log, or set DATABASE_URL to use another PostgreSQL.`,
  );
}
