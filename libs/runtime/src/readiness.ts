import { isLeaving } from './stop.js';

/** How a node's dependencies are, by name. */
export interface Readiness {
  ready: boolean;
  dependencies: Record<string, 'ok' | 'unreachable'>;
}

/** A dependency that has not answered by then counts as unreachable. */
const patienceMillis = 2_000;

/** Asks every dependency at once. A process that is about to stop is not ready, whatever they answer. Says nothing of why one is unreachable: that is for the log, not for strangers. */
export async function readiness(dependencies: Record<string, () => Promise<unknown>>): Promise<Readiness> {
  const states = await Promise.all(
    Object.entries(dependencies).map(async ([name, ask]) => {
      const late = new Promise<never>((_, reject) => void setTimeout(() => reject(new Error('late')), patienceMillis).unref());
      return [
        name,
        await Promise.race([ask(), late]).then(
          () => 'ok' as const,
          () => 'unreachable' as const,
        ),
      ] as const;
    }),
  );
  return { ready: !isLeaving() && states.every(([, state]) => state === 'ok'), dependencies: Object.fromEntries(states) };
}
