import type { IncomingMessage } from 'node:http';
import type { Call } from '@latchkey/access';
import { suspendedBecause, type Answer, type KnownRepository, type RefusedSignIn } from '@latchkey/credentials';
import { consoleSlug, type Refusal } from '@latchkey/tenancy';
import type { Authority } from './authority.js';
import { callOf } from './call.js';
import { replacedSecret, suspendedSecret } from './clients.js';
import { stateOfRequest } from './request-state.js';

/** OAuth errors (RFC 6749 §5.2, RFC 6750 §3.1) that say that somebody was not let in; the others say that a request was put wrongly. */
const refusals = new Set([
  'invalid_client',
  'invalid_grant',
  'unauthorized_client',
  'access_denied',
  'invalid_token',
  'temporarily_unavailable',
]);

/** A wrong user name or password. What was typed is not in it: people type passwords into the wrong field. */
export function refusedSignIn(repository: KnownRepository, { userId }: RefusedSignIn, call: Call): Refusal {
  return refusedFactor(repository, userId, 'wrong user name or password', call);
}

/** Somebody who has not proved who they are. @param userId null when it is nobody who is known. */
export function refusedFactor(repository: KnownRepository, userId: number | null, reason: string, call: Call): Refusal {
  const isConsole = repository.slug === consoleSlug;
  return {
    action: 'sign-in.refused',
    tenantId: isConsole && userId !== null ? { consoleId: repository.id, userId, otherwise: repository.tenantId } : repository.tenantId,
    repositoryId: repository.id,
    by: { kind: 'unknown', id: null },
    target: { kind: 'user', id: userId === null ? 'unknown' : String(userId) },
    reason,
    call,
  };
}

/** Notes that a client got no token, or was not told about one. A client that does not exist is not named. */
export function recordRefusedCall(authority: Authority, repository: KnownRepository, request: IncomingMessage, error: Error): void {
  const { error: code = '', error_detail: detail } = error as { error?: string; error_detail?: string };
  const { client, failed } = stateOfRequest(request);
  if (failed || !refusals.has(code)) return;
  const known = client?.client ?? client?.refusedClient;
  authority.refusals.record({
    action: 'token.refused',
    tenantId: known?.tenantId ?? repository.tenantId,
    repositoryId: repository.id,
    by: { kind: 'unknown', id: null },
    target: { kind: 'client', id: known?.id ?? 'unknown' },
    reason: reasonOf(code, detail, client),
    call: callOf(authority, request),
  });
}

function reasonOf(code: string, detail: string | undefined, answer: Answer | undefined): string {
  const because = answer?.refusedClient?.because;
  if (detail === replacedSecret) return 'replaced secret';
  if (because === 'deleted') return 'deleted client';
  // Whoever has not the secret is not told, so to the trail they are guessing.
  return because !== undefined && detail === suspendedSecret ? suspendedBecause(because) : code;
}
