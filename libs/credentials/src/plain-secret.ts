import { randomBytes } from 'node:crypto';
import { inspect } from 'node:util';
import { crc32 } from 'node:zlib';
import type { Environment } from '@latchkey/contracts';

/** `cs` client secret, `ak` API key. */
export type SecretKind = 'cs' | 'ak';

const alphabet = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';
/** 43 characters of 62 hold 256 bits. */
const randomLength = 43;
/** 6 characters of 62 hold the 32 bits of the checksum. */
const checksumLength = 6;
const shape = new RegExp(`^lk_(live|test)_(cs|ak)_[0-9A-Za-z]{${randomLength}}_([0-9A-Za-z]{${checksumLength}})$`);
const environmentWord = { production: 'live', integration: 'test' } as const satisfies Record<Environment, string>;

/**
 * A secret in the clear, for as short as possible. It cannot be printed by accident: every way of turning it into text
 * gives `[secret]`, except `reveal()`, which is for the edge that hands it to its owner.
 *
 * Its form is `lk_<live|test>_<cs|ak>_<43 random characters>_<6 of CRC-32>`: only unreserved characters (RFC 3986 §2.3),
 * so that no form or header encoding changes it, and a checksum, so that a scanner or a typo is told without a look-up.
 */
export class PlainSecret {
  readonly #value: string;

  private constructor(value: string) {
    this.#value = value;
  }

  /** A fresh secret with 256 bits from the system's generator. */
  static generate(environment: Environment, kind: SecretKind): PlainSecret {
    const body = `lk_${environmentWord[environment]}_${kind}_${randomText(randomLength)}`;
    return new PlainSecret(`${body}_${checksum(body)}`);
  }

  /**
   * The secret in a text that somebody presented, or nothing when it has not the form, the checksum, the environment or the
   * kind: such a value was never one of ours and needs no look-up.
   */
  static parse(presented: string, environment: Environment, kind: SecretKind): PlainSecret | undefined {
    const parts = shape.exec(presented);
    if (!parts || parts[1] !== environmentWord[environment] || parts[2] !== kind) return undefined;
    const body = presented.slice(0, -checksumLength - 1);
    return checksum(body) === presented.slice(-checksumLength) ? new PlainSecret(presented) : undefined;
  }

  reveal(): string {
    return this.#value;
  }

  /** What may be shown of it for good: the prefix and the last four characters. */
  get hint(): string {
    return `${this.#value.slice(0, 'lk_live_cs_'.length)}…${this.#value.slice(-4)}`;
  }

  toString(): string {
    return '[secret]';
  }

  toJSON(): string {
    return '[secret]';
  }

  [inspect.custom](): string {
    return '[secret]';
  }
}

function checksum(body: string): string {
  let rest = crc32(body);
  let text = '';
  for (let i = 0; i < checksumLength; i++) {
    text = alphabet.charAt(rest % alphabet.length) + text;
    rest = Math.floor(rest / alphabet.length);
  }
  return text;
}

/** Random characters of the base-62 alphabet, each equally likely: bytes that would make some likelier are thrown away. */
export function randomText(length: number): string {
  const fair = Math.floor(256 / alphabet.length) * alphabet.length;
  let text = '';
  while (text.length < length) {
    for (const byte of randomBytes(length)) {
      if (byte < fair && text.length < length) text += alphabet.charAt(byte % alphabet.length);
    }
  }
  return text;
}
