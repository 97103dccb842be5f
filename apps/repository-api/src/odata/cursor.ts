import type { Cursor } from '@latchkey/content';
import { badRequest } from './fault.js';

/** A cursor as the text of `$skiptoken`. It holds the values by which its reader had the page sorted. */
export function writeCursor({ values, id }: Cursor): string {
  return Buffer.from(JSON.stringify([id, ...values])).toString('base64url');
}

/** @throws ODataFault 400 when it is not one that `writeCursor` made. */
export function parseCursor(text: string): Cursor {
  const [id, ...values] = read(text);
  const isValue = (value: unknown) => value === null || ['string', 'number', 'boolean'].includes(typeof value);
  if (!Number.isInteger(id) || Math.abs(id as number) > 2_147_483_647 || !values.every(isValue)) throw notOurs();
  return { id: id as number, values: values as Cursor['values'] };
}

function read(text: string): unknown[] {
  try {
    const parsed: unknown = JSON.parse(Buffer.from(text, 'base64url').toString());
    if (Array.isArray(parsed)) return parsed;
  } catch {
    // Said below.
  }
  throw notOurs();
}

const notOurs = () => badRequest('$skiptoken is not one that an earlier answer gave.');
