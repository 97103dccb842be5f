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

/**
 * How a value grows by the line that fits it best (least squares).
 *
 * @returns its rise from the first time to the last, as it is and as a share of the mean.
 */
export function growthOf(times: readonly number[], values: readonly number[]): { rise: number; share: number } {
  if (times.length !== values.length || times.length < 2) throw new Error('a line takes two points or more');
  const mean = (of: readonly number[]) => of.reduce((sum, value) => sum + value, 0) / of.length;
  const [meanTime, meanValue] = [mean(times), mean(values)];
  const spread = times.reduce((sum, time) => sum + (time - meanTime) ** 2, 0);
  const slope = times.reduce((sum, time, index) => sum + (time - meanTime) * (values[index]! - meanValue), 0) / spread;
  const rise = slope * (times.at(-1)! - times[0]!);
  return { rise, share: rise / meanValue };
}
