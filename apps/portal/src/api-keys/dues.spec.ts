import { reminderOf } from './dues.ts';

const now = Date.parse('2026-01-31T00:00:00Z');
const inDays = (days: number) => new Date(now + days * 86_400_000).toISOString();

describe('reminderOf', () => {
  it('reminds of an expiry in the last 30 days before it, and not earlier', () => {
    expect(reminderOf({ createdAt: inDays(-1), expiresAt: inDays(31) }, now)).toBeUndefined();
    expect(reminderOf({ createdAt: inDays(-1), expiresAt: inDays(30) }, now)).toBe('Expires in 30 days');
    expect(reminderOf({ createdAt: inDays(-1), expiresAt: inDays(0.5) }, now)).toBe('Expires within a day');
  });

  it('reminds of the recommended age, a year', () => {
    expect(reminderOf({ createdAt: inDays(-334), expiresAt: null }, now)).toBeUndefined();
    expect(reminderOf({ createdAt: inDays(-358), expiresAt: null }, now)).toBe('A year old in 7 days: regenerate it');
    expect(reminderOf({ createdAt: inDays(-400), expiresAt: null }, now)).toBe('More than a year old: regenerate it');
  });
});
