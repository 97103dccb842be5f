import { z } from 'zod';

/*
 * The proof of a cut-off, and what the canary sees, as the tenant API answers them.
 */

const time = z.iso.datetime({ precision: 3 }).describe('RFC 3339, UTC');

/** What a process is that accepts credentials. */
const nodeKinds = ['authority', 'repository-api', 'tenant-api'] as const;
export type NodeKind = (typeof nodeKinds)[number];

const nodeKind = z.enum(nodeKinds);

const cutoffNodeView = z.object({
  id: z.uuid(),
  node: z.string().describe('Its name'),
  kind: nodeKind,
  refusedAfterMillis: z
    .number()
    .min(0)
    .nullable()
    .describe('From the cut-off until it had asked, been told, and reported that it refuses; null while it has not reported'),
});
export type CutoffNodeView = z.infer<typeof cutoffNodeView>;

const propagationView = z.object({
  webhookId: z.uuid(),
  deliveryId: z.uuid(),
  target: z.string().describe('The address of the webhook'),
  state: z.enum(['done', 'retrying', 'failed']),
  afterMillis: z.number().optional().describe('From the cut-off until the target had taken it'),
});

export const cutoffProofView = z.object({
  id: z.uuid(),
  kind: z.string().describe('Noun and verb, such as secret.regenerated'),
  clientId: z.string().nullable(),
  userId: z.int().nullable(),
  effectiveAt: time.nullable().describe('From then on no node accepts what was ended; ahead in a planned rotation; null until it is known'),
  withdrawnAt: time
    .nullable()
    .describe('Since then it will not take effect: the planned rotation was cancelled, or finished before its time'),
  nodes: z.array(cutoffNodeView).describe('Every process that accepted credentials at that time; none if it was withdrawn'),
  propagation: z.array(propagationView),
});
export type CutoffProofView = z.infer<typeof cutoffProofView>;

const canaryNodeView = z.object({
  node: z.string().describe('Its name'),
  kind: nodeKind,
  acceptedBefore: z
    .int()
    .describe('Presentations that it accepted before the call had answered; with none, the run says nothing of this node'),
  refused: z.int().describe('Presentations that began after the call had answered, and were refused'),
  accepted: z.int().describe('Those that were accepted: each is a violation'),
  unanswered: z.int().describe('Those that got neither: no answer, or 503'),
});
export type CanaryNodeView = z.infer<typeof canaryNodeView>;

const canaryRunView = z.object({
  id: z.uuid(),
  repository: z.string().describe('Whose credential was ended: that of the built-in repository canary, or of the console'),
  beganAt: time,
  requests: z.int().describe('Presentations that began after the call had answered'),
  violations: z.int().describe('Those of them that were accepted'),
  acceptedForMillis: z.number().describe('How long after the answer the last of these began; 0 when there was none'),
  nodes: z.array(canaryNodeView),
});
export type CanaryRunView = z.infer<typeof canaryRunView>;

export const canaryView = z.object({
  violations: z.int().describe('Since ever. It must be 0'),
  nodes: z.array(
    z
      .object({ id: z.uuid(), node: z.string(), kind: nodeKind, startedAt: time, seenAt: time })
      .describe('Processes that accept credentials now'),
  ),
  runs: z.array(canaryRunView).describe('The latest, first'),
});
export type CanaryView = z.infer<typeof canaryView>;
