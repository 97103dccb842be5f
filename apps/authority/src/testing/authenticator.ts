import { createHash, generateKeyPairSync, randomBytes, sign, type KeyObject } from 'node:crypto';

/** What a page asks a browser for, as far as this needs it. */
interface Asked {
  challenge: string;
  user?: { id: string };
}

export interface Ceremony {
  /** Where the browser says that it is. */
  origin: string;
  /** What it binds the passkey to. */
  rpId: string;
  /** The device knows the person. */
  verified?: boolean;
}

/** A device with one passkey (ES256, WebAuthn Level 3 §6), and the browser that speaks for it. It does as it is told. */
export class Authenticator {
  readonly id = randomBytes(32);
  readonly #key: KeyObject;
  readonly #publicKey: Buffer;
  counter = 0;
  userHandle: string | undefined;

  constructor() {
    const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const { x = '', y = '' } = publicKey.export({ format: 'jwk' });
    this.#key = privateKey;
    // COSE (RFC 9052 §7): kty EC2, alg ES256, crv P-256, x, y.
    this.#publicKey = Buffer.concat([
      Buffer.from([0xa5, 0x01, 0x02, 0x03, 0x26, 0x20, 0x01, 0x21]),
      cborBytes(x),
      Buffer.from([0x22]),
      cborBytes(y),
    ]);
  }

  /** Answers a registration. */
  register({ challenge, user }: Asked, ceremony: Ceremony): string {
    this.userHandle = user?.id;
    const length = Buffer.alloc(2);
    length.writeUInt16BE(this.id.length);
    const attested = Buffer.concat([Buffer.alloc(16), length, this.id, this.#publicKey]);
    const data = this.#data(ceremony, 0x40, attested);
    const object = Buffer.concat([
      Buffer.from([0xa3]),
      cborText('fmt'),
      cborText('none'),
      cborText('attStmt'),
      Buffer.from([0xa0]),
      cborText('authData'),
      cborBytes(data),
    ]);
    return this.#answer({
      clientDataJSON: clientData('webauthn.create', challenge, ceremony.origin),
      attestationObject: object.toString('base64url'),
      transports: ['internal'],
    });
  }

  /** Answers a sign-in. */
  assert({ challenge }: Asked, ceremony: Ceremony, change: { userHandle?: string } = {}): string {
    this.counter += 1;
    const data = this.#data(ceremony, 0);
    const client = clientData('webauthn.get', challenge, ceremony.origin);
    const signed = Buffer.concat([data, createHash('sha256').update(Buffer.from(client, 'base64url')).digest()]);
    return this.#answer({
      clientDataJSON: client,
      authenticatorData: data.toString('base64url'),
      signature: sign('sha256', signed, this.#key).toString('base64url'),
      userHandle: change.userHandle ?? this.userHandle,
    });
  }

  #data({ rpId, verified = true }: Ceremony, flags: number, attested = Buffer.alloc(0)): Buffer {
    const counter = Buffer.alloc(4);
    counter.writeUInt32BE(this.counter);
    const rpIdHash = createHash('sha256').update(rpId).digest();
    return Buffer.concat([rpIdHash, Buffer.from([flags | 0x01 | (verified ? 0x04 : 0)]), counter, attested]);
  }

  #answer(response: object): string {
    const id = this.id.toString('base64url');
    return JSON.stringify({ id, rawId: id, type: 'public-key', clientExtensionResults: {}, response });
  }
}

/** What the page asks the browser for. */
export function askedOf(html: string): Asked {
  const [, json = '{}'] = /data-passkey="([^"]*)"/.exec(html) ?? [];
  return (JSON.parse(json.replaceAll('&quot;', '"').replaceAll('&amp;', '&')) as { options: Asked }).options;
}

const clientData = (type: string, challenge: string, origin: string) =>
  Buffer.from(JSON.stringify({ type, challenge, origin, crossOrigin: false })).toString('base64url');

const cborText = (text: string) => Buffer.concat([Buffer.from([0x60 | text.length]), Buffer.from(text)]);

function cborBytes(value: Buffer | string): Buffer {
  const bytes = typeof value === 'string' ? Buffer.from(value, 'base64url') : value;
  // The shortest form, as authenticators must write it (CTAP 2.1 §8).
  const length = bytes.length < 256 ? [0x58, bytes.length] : [0x59, bytes.length >> 8, bytes.length & 0xff];
  return Buffer.concat([Buffer.from(length), bytes]);
}
