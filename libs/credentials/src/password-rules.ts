import { passwordLengths } from '@latchkey/contracts';
import { dictionary } from '@zxcvbn-ts/language-common';

/** Why a password may not be chosen. */
export type PasswordFault = 'tooShort' | 'tooLong' | 'common' | 'repetitive' | 'personal';

export interface PasswordContext {
  /** Characters that it must have at least. */
  shortest: number;
  /** What whoever attacks this account would try first: names of the repository and of the person, the address. */
  words: (string | null | undefined)[];
}

/** Shorter words are in everything. */
const shortestWord = 4;

/** Characters that a password must have besides the words that belong to it, and in the part that it repeats. */
const shortestRest = 8;

/** Passwords that many people have chosen: those of @zxcvbn-ts/language-common that are long enough to be asked about. */
const common = new Set(dictionary['passwords-common'].filter((each) => each.length >= passwordLengths.withSecondFactor));

/**
 * What is wrong with a new password, or nothing. Length, and a list of what is expected or known; nothing about kinds of
 * characters, which makes people choose worse (NIST SP 800-63B-4 §3.1.1.2).
 */
export function passwordFault(password: string, { shortest, words }: PasswordContext): PasswordFault | undefined {
  const normal = password.normalize('NFKC');
  // Characters as people count them, not UTF-16 units.
  const length = [...normal].length;
  if (length < shortest) return 'tooShort';
  if (length > passwordLengths.longest || password.length > 2 * passwordLengths.longest) return 'tooLong';
  const folded = normal.toLowerCase();
  if (common.has(folded) || common.has(folded.replace(/[\d\W_]+$/u, ''))) return 'common';
  if (isSequence(folded) || repeatedPart(folded).length < Math.min(shortestRest, folded.length)) return 'repetitive';
  if (without(words, folded).length < shortestRest) return 'personal';
  return undefined;
}

/** The part that the text is a repetition of: itself, if it is none. The last repetition may be cut short. */
function repeatedPart(text: string): string {
  for (let size = 1; size <= text.length / 2; size++) {
    if (text.slice(size) === text.slice(0, -size)) return text.slice(0, size);
  }
  return text;
}

/** Each character follows the one before, up or down: 123456789…, abcdefgh…. */
function isSequence(text: string): boolean {
  const codes = [...text].map((character) => character.codePointAt(0) ?? 0);
  // 9 is followed by 0 on keyboards.
  const steps = codes.slice(1).map((code, index) => (code === 48 && codes[index] === 57 ? 1 : code - (codes[index] ?? 0)));
  return steps.length > 0 && (steps.every((step) => step === 1) || steps.every((step) => step === -1));
}

function without(words: PasswordContext['words'], text: string): string {
  const parts = words.flatMap((word) => {
    const folded = (word ?? '').normalize('NFKC').toLowerCase();
    return [folded, ...folded.split(/[^\p{L}\p{N}]+/u)];
  });
  return parts
    .filter((part) => part.length >= shortestWord)
    .toSorted((a, b) => b.length - a.length)
    .reduce((rest, part) => rest.replaceAll(part, ''), text);
}
