import type { CutoffProofView } from './cutoffs.js';

/**
 * Whether nothing more becomes of a proof: it took effect or was withdrawn, every node has reported, and no webhook is retried.
 * In a file without schemas, so that a page which follows a proof loads none.
 */
export function isCompleteProof({ effectiveAt, withdrawnAt, nodes, propagation }: CutoffProofView): boolean {
  return (
    (effectiveAt !== null || withdrawnAt !== null) &&
    nodes.every(({ refusedAfterMillis }) => refusedAfterMillis !== null) &&
    propagation.every(({ state }) => state !== 'retrying')
  );
}
