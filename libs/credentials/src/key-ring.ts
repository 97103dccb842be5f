import { createCipheriv, createDecipheriv, createHmac, randomBytes } from 'node:crypto';
import { z } from 'zod';

const nonceBytes = 12;
const tagBytes = 16;

/**
 * Server-side keys by id. The first one is current: it is used for what is new, and the others for what is older, so that
 * keys can be replaced without downtime.
 */
export class KeyRing {
  readonly #keys: Map<string, Buffer>;
  readonly #current: string;

  private constructor(keys: Map<string, Buffer>, current: string) {
    this.#keys = keys;
    this.#current = current;
  }

  /**
   * @param text `id:base64[,id:base64…]`, each key 32 bytes.
   * @throws Error that says what is wrong and holds nothing of the text.
   */
  static parse(text: string): KeyRing {
    const keys = new Map<string, Buffer>();
    for (const [index, part] of text.split(',').entries()) {
      const [, id, encoded] = /^([\w-]{1,64}):([A-Za-z0-9+/_-]+={0,2})$/.exec(part.trim()) ?? [];
      if (!id || !encoded) throw new Error(`key ${index + 1} is not of the form id:base64`);
      const key = Buffer.from(encoded, 'base64');
      if (key.length !== 32) throw new Error(`key ${index + 1} must be 32 bytes`);
      if (keys.has(id)) throw new Error(`key ${index + 1} has the id of another`);
      keys.set(id, key);
    }
    const [current] = keys.keys();
    if (!current) throw new Error('there is no key');
    return new KeyRing(keys, current);
  }

  get currentId(): string {
    return this.#current;
  }

  /** The current key's id first. */
  get ids(): string[] {
    return [...this.#keys.keys()];
  }

  /** HMAC-SHA-256 of a value under one key; under the current one if none is named. @throws if the key is not there. */
  mac(value: string, keyId = this.#current): Buffer {
    return createHmac('sha256', this.#key(keyId)).update(value).digest();
  }

  /** Encrypts with AES-256-GCM under the current key: nonce, ciphertext, tag. */
  seal(plain: Buffer): { keyId: string; sealed: Buffer } {
    const nonce = randomBytes(nonceBytes);
    const cipher = createCipheriv('aes-256-gcm', this.#key(this.#current), nonce);
    return { keyId: this.#current, sealed: Buffer.concat([nonce, cipher.update(plain), cipher.final(), cipher.getAuthTag()]) };
  }

  /** @throws when the key is not there, or the value was not sealed under it or has been changed. */
  open(keyId: string, sealed: Buffer): Buffer {
    const decipher = createDecipheriv('aes-256-gcm', this.#key(keyId), sealed.subarray(0, nonceBytes));
    decipher.setAuthTag(sealed.subarray(-tagBytes));
    return Buffer.concat([decipher.update(sealed.subarray(nonceBytes, -tagBytes)), decipher.final()]);
  }

  #key(id: string): Buffer {
    const key = this.#keys.get(id);
    if (!key) throw new Error(`there is no key with the id ${id}`);
    return key;
  }
}

/** A key ring in an app's configuration. What is wrong with it is said without printing it. */
export const keyRingConfig = z.string().transform((text, context) => {
  try {
    return KeyRing.parse(text);
  } catch (error) {
    context.addIssue({ code: 'custom', message: (error as Error).message });
    return z.NEVER;
  }
});
