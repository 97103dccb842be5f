import { Problem } from '@latchkey/contracts';

/** Characters of a name, and of a whole path, at most: a path must fit into an index entry. */
export const maxNameLength = 255;
export const maxPathLength = 450;

/** Slashes part a path; control characters and lone surrogates cannot be kept or typed. */
const forbidden = /[/\\\p{Cc}\p{Cs}]/u;

/** True when something could have this name. A path that holds another name leads nowhere. */
export function isNodeName(name: string): boolean {
  return name !== '' && name !== '.' && name !== '..' && name.length <= maxNameLength && name.trim() === name && !forbidden.test(name);
}

/** @throws Problem `invalid-request` when nothing can have this name. */
export function requireNodeName(name: unknown): string {
  if (typeof name === 'string' && isNodeName(name)) return name;
  throw new Problem(
    'invalid-request',
    `Name must be 1 to ${maxNameLength} characters, without slashes and control characters, and not begin or end with a space.`,
    {
      errors: [{ pointer: '/Name', detail: 'is not a name that content can have' }],
    },
  );
}

/** A name made of a display name: whatever a name cannot hold becomes a hyphen. */
export function nameFrom(displayName: string): string {
  return cut(displayName.replace(new RegExp(forbidden, 'gu'), '-').trim(), 100)
    .trim()
    .replace(/^\.+$/, '');
}

/** The text's first characters, so many at most, none of them half of one. */
export const cut = (text: string, length: number): string => text.slice(0, length).replace(/\p{Cs}$/u, '');
