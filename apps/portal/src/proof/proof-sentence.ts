import type { Proof } from '../api/queries.ts';

/** What was cut off, in the words of a person. */
const ended: Record<string, string> = {
  'secret.regenerated': 'the old secret',
  'secret.revoked': 'the secret',
  'secret.rotation-cancelled': 'the newer secret',
  'secret.rotation-finished': 'the old secret',
  'client.deleted': 'the client',
  'client.user-changed': 'the earlier tokens',
  'api-key.deleted': 'the API key',
  'user.changed': 'the earlier sessions and tokens',
  'repository.suspended': 'the repository',
  'repository.deleted': 'the repository',
  'signing-key.compromised': 'the earlier keys',
};

/** Such as "6 of 6 nodes refuse the old secret, the last after 4 ms". */
export function proofSentence({
  kind,
  nodes,
  effectiveAt,
  withdrawnAt,
}: Pick<Proof, 'kind' | 'nodes' | 'effectiveAt' | 'withdrawnAt'>): string {
  const what = ended[kind] ?? 'what was ended';
  if (withdrawnAt !== null) return 'Withdrawn: the rotation was cancelled, or finished before its time.';
  if (effectiveAt !== null && new Date(effectiveAt) > new Date()) return 'Planned: both secrets work until then.';
  if (nodes.length === 0) return `No node was running that could have accepted ${what}.`;
  const refusing = nodes.flatMap(({ refusedAfterMillis }) => refusedAfterMillis ?? []);
  const last = refusing.length === 0 ? '' : `, the last after ${Math.round(Math.max(...refusing)).toLocaleString()} ms`;
  const silent = nodes.length - refusing.length;
  const waiting = silent === 0 ? '' : `; ${silent === 1 ? 'one has' : `${silent} have`} not reported yet`;
  return `${refusing.length} of ${nodes.length} nodes refuse ${what}${last}${waiting}`;
}
