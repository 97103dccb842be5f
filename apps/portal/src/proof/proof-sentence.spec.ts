import { proofSentence } from './proof-sentence.ts';

const node = (refusedAfterMillis: number | null) => ({ id: '', node: 'authority-1', kind: 'authority' as const, refusedAfterMillis });
const proof = { kind: 'secret.regenerated', effectiveAt: '2020-01-01T00:00:00.000Z', withdrawnAt: null };

describe('proofSentence', () => {
  it('counts the nodes that refuse, and names the slowest', () => {
    expect(proofSentence({ ...proof, nodes: [node(1.2), node(4.4)] })).toBe('2 of 2 nodes refuse the old secret, the last after 4 ms');
  });

  it('says of a node that has not reported that it has not', () => {
    expect(proofSentence({ ...proof, nodes: [node(null), node(2)] })).toBe(
      '1 of 2 nodes refuse the old secret, the last after 2 ms; one has not reported yet',
    );
    expect(proofSentence({ ...proof, nodes: [node(null), node(null)] })).toBe(
      '0 of 2 nodes refuse the old secret; 2 have not reported yet',
    );
  });

  it('claims nothing of what lies ahead or was withdrawn', () => {
    expect(proofSentence({ ...proof, effectiveAt: '2999-01-01T00:00:00.000Z', nodes: [node(null)] })).toMatch(/^Planned/);
    expect(proofSentence({ ...proof, withdrawnAt: proof.effectiveAt, nodes: [] })).toMatch(/^Withdrawn/);
  });
});
