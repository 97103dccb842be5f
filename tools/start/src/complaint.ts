/** Something that the person at the terminal can put right; the message is one line that says what and how. */
export class Complaint extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'Complaint';
  }
}

/** The one line for an error of the file system in this folder; other errors come back as they are. */
export function aboutFiles(error: unknown, folder: string): unknown {
  const { code } = error as NodeJS.ErrnoException;
  if (code === 'ENOSPC' || code === 'EDQUOT') {
    return new Complaint(`The disk that holds ${folder} is full: free some space or choose another folder with --data-dir.`, {
      cause: error,
    });
  }
  if (['EACCES', 'EPERM', 'EROFS', 'ENOTDIR', 'EEXIST'].includes(code ?? '')) {
    return new Complaint(`Cannot write to ${folder}: make it a writable folder or choose another one with --data-dir.`, { cause: error });
  }
  return error;
}
