const units = [
  [86_400, 'day'],
  [3_600, 'hour'],
  [60, 'minute'],
] as const;

/** A length of time as one says it: 2,592,000 are 30 days. Empty where seconds say it as well, or where it is none. */
export function inWords(seconds: unknown): string {
  if (typeof seconds !== 'number') return '';
  const [size, unit] = units.find(([each]) => seconds >= each && seconds % each === 0) ?? [];
  if (size === undefined) return '';
  const count = seconds / size;
  return `${count.toLocaleString()} ${unit}${count === 1 ? '' : 's'}`;
}
