import { Problem } from '@latchkey/contracts';

/** The user that an address names. @throws Problem `not-found`: anything that is no user id is the id of nobody. */
export function userId(text: string): number {
  if (!/^[1-9]\d{0,8}$/.test(text)) throw new Problem('not-found', 'There is no such user in this repository.');
  return Number(text);
}
