import { isCompleteProof, type CutoffProofView } from '@latchkey/contracts';

const node = { id: 'n', node: 'authority', kind: 'authority' as const, refusedAfterMillis: 12 };
const target = { webhookId: 'w', deliveryId: 'd', target: 'https://example.com/', state: 'done' as const };
const whole: CutoffProofView = {
  id: 'c',
  kind: 'secret.regenerated',
  clientId: 'tool_x',
  userId: null,
  effectiveAt: '2026-11-21T08:30:00.000Z',
  withdrawnAt: null,
  nodes: [node],
  propagation: [target, { ...target, state: 'failed' }],
};

describe('a proof', () => {
  it('is complete when it took effect or was withdrawn, every node has reported and no webhook is retried', () => {
    expect(isCompleteProof(whole)).toBe(true);
    expect(isCompleteProof({ ...whole, effectiveAt: null, withdrawnAt: whole.effectiveAt, nodes: [], propagation: [] })).toBe(true);
  });

  it.each<[string, Partial<CutoffProofView>]>([
    ['it has not taken effect', { effectiveAt: null }],
    ['a node has not reported', { nodes: [node, { ...node, refusedAfterMillis: null }] }],
    ['a webhook is retried', { propagation: [target, { ...target, state: 'retrying' }] }],
  ])('is not complete while %s', (_, part) => {
    expect(isCompleteProof({ ...whole, ...part })).toBe(false);
  });
});
