import type { IncomingMessage } from 'node:http';
import type { Call } from '@latchkey/access';
import { newId } from '@latchkey/database';
import type { Authority } from './authority.js';

const calls = new WeakMap<IncomingMessage, Call>();

/** What names a request in its answer, the log and the audit trail, and where it came from. The same at every asking. */
export function callOf(authority: Pick<Authority, 'addressOf'>, request: IncomingMessage): Call {
  const known = calls.get(request) ?? { requestId: newId(), address: authority.addressOf(request) };
  calls.set(request, known);
  return known;
}
