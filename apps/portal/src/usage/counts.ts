/** What is counted, in the words of a person. */
export const kinds = {
  token: { name: 'Tokens', about: 'that tools got with a secret or key' },
  call: { name: 'API calls', about: 'of the repository API' },
  'failed-call': { name: 'Failed calls', about: 'answered 4xx or 5xx' },
  'sign-in': { name: 'Sign-ins', about: 'of people' },
  refusal: { name: 'Refusals', about: 'of credentials, tokens and sign-ins' },
  'ended-secret': { name: 'Ended secrets', about: 'presented by who had not changed over' },
} as const;
export type Kind = keyof typeof kinds;

export interface Item {
  day: string;
  kind: Kind;
  repository: string | null;
  credentialId: string | null;
  /** What the credential is called now. */
  credential: string | null;
  reason: string | null;
  count: number;
}

export const total = (items: Item[], kind: Kind) => items.reduce((sum, item) => (item.kind === kind ? sum + item.count : sum), 0);

const dayMillis = 86_400_000;

/** Every day of the range with its count, those without any too; the latest first. */
export function byDay(items: Item[], kind: Kind, from: string, to: string): { day: string; count: number }[] {
  const counts = new Map<string, number>();
  for (const item of items) if (item.kind === kind) counts.set(item.day, (counts.get(item.day) ?? 0) + item.count);
  const days: { day: string; count: number }[] = [];
  for (let at = Date.parse(to); at >= Date.parse(from); at -= dayMillis) {
    const day = new Date(at).toISOString().slice(0, 10);
    days.push({ day, count: counts.get(day) ?? 0 });
  }
  return days;
}

/** How often something was counted in a repository. */
export interface Counted {
  /** The id of a credential, or a reason; null for neither. */
  id: string | null;
  /** What the credential is called now. */
  name: string | null;
  repository: string | null;
  count: number;
}

/** The counts of a kind by credential or by reason, and by repository, the largest first. */
export function byGroup(items: Item[], kind: Kind, by: 'credentialId' | 'reason'): Counted[] {
  const groups = new Map<string, Counted>();
  for (const item of items) {
    if (item.kind !== kind) continue;
    const { repository, count, [by]: id } = item;
    const key = JSON.stringify([repository, id]);
    const name = by === 'credentialId' ? item.credential : null;
    groups.set(key, { id, name, repository, count: (groups.get(key)?.count ?? 0) + count });
  }
  return [...groups.values()].toSorted((a, b) => b.count - a.count);
}
