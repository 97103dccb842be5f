const dayMillis = 86_400_000;

/** At this age a secret should have been replaced. */
export const recommendedAgeDays = 365;

/** How long before the time its holders are told. */
export const noticeDays = [30, 7, 1] as const;

/** A time at which a secret or API key should have been replaced, and why. */
export interface Due {
  because: 'expiry' | 'age';
  dueAt: Date;
}

/**
 * When a secret or API key should have been replaced: when it ends by itself, and when it reaches the recommended age, unless
 * it ends before or then. The earliest comes first.
 */
export function duesOf({ createdAt, endsAt }: { createdAt: Date; endsAt: Date | null }): Due[] {
  const agedAt = new Date(createdAt.getTime() + recommendedAgeDays * dayMillis);
  const ages = !endsAt || endsAt > agedAt;
  return [
    ...(ages ? [{ because: 'age' as const, dueAt: agedAt }] : []),
    ...(endsAt ? [{ because: 'expiry' as const, dueAt: endsAt }] : []),
  ];
}

/** Days that are left until then, rounded up; 0 when it is past. */
export function daysUntil(dueAt: Date, now: Date): number {
  return Math.max(0, Math.ceil((dueAt.getTime() - now.getTime()) / dayMillis));
}
