/** The value below which so much of the sample lies, from 0 to 1 (nearest rank). */
export function quantile(sample: readonly number[], share: number): number {
  if (sample.length === 0) throw new Error('an empty sample has no quantiles');
  const sorted = sample.toSorted((one, other) => one - other);
  return sorted[Math.min(sorted.length - 1, Math.max(0, Math.ceil(share * sorted.length) - 1))] as number;
}

/** The middle value, or the mean of the two in the middle. */
export function median(sample: readonly number[]): number {
  if (sample.length % 2 === 1) return quantile(sample, 0.5);
  const sorted = sample.toSorted((one, other) => one - other);
  const upper = sorted.length / 2;
  if (upper === 0) throw new Error('an empty sample has no median');
  return ((sorted[upper - 1] as number) + (sorted[upper] as number)) / 2;
}
