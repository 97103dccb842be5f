import { restorableUntil } from './restorable-until.ts';

describe('what was deleted', () => {
  it('can be restored for 30 days', () => {
    expect(restorableUntil('2026-02-10T08:00:00.000Z')).toBe('2026-03-12T08:00:00.000Z');
  });
});
