import { Problem } from '@latchkey/contracts';
import { isId } from '@latchkey/database';

/** The id after which a page begins. @throws Problem `invalid-request` when the cursor is not one that a list gave. */
export function cursor(after: string): string {
  if (isId(after)) return after;
  throw noCursor();
}

export const noCursor = () =>
  new Problem('invalid-request', 'The cursor is not one that a list gave.', {
    errors: [{ pointer: '/after', detail: 'must be the `next` of an earlier page' }],
  });

/** A page of the rows, of which one more was read than it holds, and where the one after it begins. */
export function pageOf<Row extends { id: string }>(rows: Row[], limit: number): { page: Row[]; next: string | null } {
  const page = rows.slice(0, limit);
  return { page, next: rows.length > limit ? (page.at(-1)?.id ?? null) : null };
}
