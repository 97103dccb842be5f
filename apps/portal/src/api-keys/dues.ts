const dayMillis = 86_400_000;
const recommendedAgeDays = 365;
const noticeDays = 30;

/**
 * What to say of a secret that will end, or that gets old, within 30 days; nothing otherwise. The same two reasons of which
 * the mails and webhooks remind.
 */
export function reminderOf(
  { createdAt, expiresAt }: { createdAt: string; expiresAt: string | null },
  now = Date.now(),
): string | undefined {
  const days = (millis: number) => {
    const count = Math.max(0, Math.ceil(millis / dayMillis));
    return count === 0 ? 'today' : count === 1 ? 'within a day' : `in ${count} days`;
  };
  const untilEnd = expiresAt === null ? Infinity : new Date(expiresAt).getTime() - now;
  if (untilEnd <= noticeDays * dayMillis) return `Expires ${days(untilEnd)}`;
  const untilOld = new Date(createdAt).getTime() + recommendedAgeDays * dayMillis - now;
  if (untilOld <= 0) return 'More than a year old: regenerate it';
  return untilOld <= noticeDays * dayMillis ? `A year old ${days(untilOld)}: regenerate it` : undefined;
}
