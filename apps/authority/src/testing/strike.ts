import type { RunningAuthority } from './running-authority.js';

/**
 * Carries out requests, and something else each time when the authority is about to write what one of them came to, after all
 * that it has read and asked.
 *
 * @param strike is told which writing it is, from 0 on.
 */
export async function beforeWriting<T>(
  { authority: { database } }: RunningAuthority,
  strike: (which: number) => Promise<unknown> | undefined,
  request: () => Promise<T>,
): Promise<T> {
  const call = database.call.bind(database);
  let which = 0;
  const between = async (text: string, values: unknown[]) => {
    if (text.includes('write_oidc_records')) await strike(which++);
    return call(text, values);
  };
  Object.assign(database, { call: between });
  try {
    const answer = await request();
    if (which === 0) throw new Error('nothing was written');
    return answer;
  } finally {
    Reflect.deleteProperty(database, 'call');
  }
}

/** Lets those who come go on when so many have. */
export function meeting(of: number): () => Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  let come = 0;
  return () => {
    if (++come === of) resolve();
    return promise;
  };
}
