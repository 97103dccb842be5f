import { statSync } from 'node:fs';

/** What Jest knows of a file before it has run. */
interface TestFile {
  path: string;
}

/** They take longer than the others, the longest first. */
export const long = ['cutoff-under-fire', 'portal-pages', 'resilience', 'portal-trouble', 'run.integration', 'worker.integration'];

/** Jest's order of files, the same at every run: what takes long begins first, so that nobody waits for it at the end; then the largest. */
export default class LongestFirst {
  sort<T extends TestFile>(files: T[]): T[] {
    const rankOf = ({ path }: T) => long.findIndex((name) => path.includes(`/${name}.`));
    const weighed = files.map((file) => ({ file, rank: rankOf(file) + 1 || Infinity, size: statSync(file.path).size }));
    return weighed
      .toSorted((one, other) => (one.rank === other.rank ? other.size - one.size : one.rank - other.rank))
      .map(({ file }) => file);
  }

  /** How long each took is not kept: it would make the next run another one. */
  cacheResults(): void {}
}
