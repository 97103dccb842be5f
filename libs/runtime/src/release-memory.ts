import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

/**
 * Gives back to the system what only the start of a process needed, about a quarter of what it holds then: loading modules fills
 * the heap and has the young generation grow, and a process that idles would keep it so. Under load it grows again. Takes about
 * 100 ms, in which nothing else happens, so it is called before anything is served.
 */
export function releaseStartMemory(): void {
  // Node.js hands out its collector by this flag alone.
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as NonNullable<typeof globalThis.gc>;
  setFlagsFromString('--no-expose-gc');
  // Of all kinds it is the one that shrinks the young generation, too.
  collect({ type: 'major', execution: 'sync', flavor: 'last-resort' });
}
