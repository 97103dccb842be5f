import { createHash } from 'node:crypto';
import { calculateJwkThumbprint, EmbeddedJWK, errors, jwtVerify, type JWTPayload } from 'jose';
import { CredentialRefused } from './credential-refused.js';

/** Algorithms of the keys that tokens may be bound to. */
export const dpopAlgorithms = ['ES256', 'Ed25519', 'EdDSA', 'PS256', 'RS256'];

/** How far a proof's time may be from ours, either way. */
const windowSeconds = 60;

/** Proofs of live tokens that a process remembers at most, so that none is taken twice. */
const remembered = 100_000;

/** A proof as it came with a request (RFC 9449 §4). */
export interface PresentedProof {
  /** The header `DPoP`; anything but one proof is refused. */
  jwt: unknown;
  /** Of the request. */
  method: string;
  /** Address of the request as the caller knows it; query and fragment are not looked at. */
  url: string;
}

/** Tells whether whoever presents a token holds the key that it is bound to. */
export class DpopProofs {
  readonly #seen = new Map<string, number>();

  /**
   * Checks a proof as RFC 9449 §4.3 says. Each is taken once by this process; how long it could be replayed at another is
   * bounded by its time.
   *
   * @param keyThumbprint of the key that the token names (`cnf.jkt`).
   * @throws CredentialRefused for anything but a fresh proof of this key for this token and this request.
   */
  async verify(token: string, keyThumbprint: string, { jwt, method, url }: PresentedProof): Promise<void> {
    if (typeof jwt !== 'string') throw new CredentialRefused('a token that is bound to a key comes with one DPoP proof');
    const { payload, protectedHeader } = await verifySignature(jwt);
    const now = Date.now() / 1000;
    const faults = [
      [payload.htm !== method, 'is for another method'],
      [addressOf(payload.htu) !== addressOf(url), 'is for another address'],
      [payload.ath !== createHash('sha256').update(token).digest('base64url'), 'is for another token'],
      [typeof payload.iat !== 'number' || Math.abs(now - payload.iat) > windowSeconds, 'is not of this minute'],
      [typeof payload.jti !== 'string' || payload.jti.length < 1 || payload.jti.length > 256, 'has no usable id'],
      [(await calculateJwkThumbprint(protectedHeader.jwk as never)) !== keyThumbprint, 'is made with another key'],
    ] as const;
    for (const [isSo, fault] of faults) if (isSo) throw new CredentialRefused(`the DPoP proof ${fault}`);
    this.#refuseSeen(`${keyThumbprint} ${payload.jti as string}`, now);
  }

  /** Only proofs that are good in every other way come here, so that strangers fill nothing. */
  #refuseSeen(proof: string, now: number): void {
    if ((this.#seen.get(proof) ?? 0) > now) throw new CredentialRefused('the DPoP proof was used before');
    if (this.#seen.size >= remembered) {
      // The earliest come first.
      for (const [known, until] of this.#seen) {
        if (until > now) break;
        this.#seen.delete(known);
      }
      if (this.#seen.size >= remembered) throw new CredentialRefused('too many DPoP proofs within a minute; wait a moment');
    }
    // A proof of the near future stays good for as long as its own time is near.
    this.#seen.set(proof, now + 2 * windowSeconds);
  }
}

interface ProofClaims extends JWTPayload {
  htm?: unknown;
  htu?: unknown;
  ath?: unknown;
}

async function verifySignature(jwt: string) {
  try {
    return await jwtVerify<ProofClaims>(jwt, EmbeddedJWK, { typ: 'dpop+jwt', algorithms: dpopAlgorithms });
  } catch (error) {
    // Besides JOSEError: a key that is not one.
    if (error instanceof errors.JOSEError || error instanceof TypeError || error instanceof DOMException)
      throw new CredentialRefused('the DPoP proof is not valid');
    throw error;
  }
}

/** Without query and fragment (RFC 9449 §4.2), written as URLs are; nothing for what is none. */
function addressOf(value: unknown): string | undefined {
  const url = typeof value === 'string' ? URL.parse(value) : null;
  if (!url) return undefined;
  url.search = '';
  url.hash = '';
  return url.href;
}
