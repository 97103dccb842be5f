import { Problem } from '@latchkey/contracts';
import { isId } from '@latchkey/database';

/** The id after which a page begins. @throws Problem `invalid-request` when the cursor is not one that a list gave. */
export function cursor(after: string): string {
  if (isId(after)) return after;
  throw new Problem('invalid-request', 'The cursor is not one that a list gave.', {
    errors: [{ pointer: '/after', detail: 'must be the `next` of an earlier page' }],
  });
}
