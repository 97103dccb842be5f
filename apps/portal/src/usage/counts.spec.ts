import { byDay, byGroup, total, type Item } from './counts.ts';

const item = (more: Partial<Item>): Item => ({
  day: '2026-03-01',
  kind: 'token',
  repository: 'shop',
  credentialId: 'tool_1',
  credential: 'Tool',
  reason: null,
  count: 1,
  ...more,
});
const items = [
  item({ count: 2 }),
  item({ credentialId: 'tool_2', count: 5 }),
  item({ day: '2026-02-27' }),
  item({ kind: 'call', count: 99 }),
];

describe('counts of usage', () => {
  it('have every day of the range, over the end of a month too', () => {
    expect(byDay(items, 'token', '2026-02-27', '2026-03-01')).toEqual([
      { day: '2026-03-01', count: 7 },
      { day: '2026-02-28', count: 0 },
      { day: '2026-02-27', count: 1 },
    ]);
  });

  it('are added up by credential, the largest first, and not across kinds', () => {
    expect(byGroup(items, 'token', 'credentialId').map(({ id, name, count }) => [id, name, count])).toEqual([
      ['tool_2', 'Tool', 5],
      ['tool_1', 'Tool', 3],
    ]);
    expect([total(items, 'token'), total(items, 'refusal')]).toEqual([8, 0]);
  });
});
