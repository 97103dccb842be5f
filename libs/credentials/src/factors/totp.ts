import { Secret, TOTP } from 'otpauth';

/** What every authenticator app can do, and some nothing else: SHA-1, six digits, 30 seconds (RFC 6238 §1.2). */
const form = { algorithm: 'SHA1', digits: 6, period: 30 } as const;

/** Clocks differ, and typing takes time: the code before and the one after count too (RFC 6238 §5.2). */
const window = 1;

/** A new shared secret: 160 bits, as RFC 4226 §4 recommends. */
export function newTotpSecret(): Buffer {
  return Buffer.from(new Secret({ size: 20 }).bytes);
}

/** The secret as a person types it into an app that cannot scan: base32 in groups of four. */
export function spellTotpSecret(secret: Buffer): string {
  return new Secret({ buffer: bytesOf(secret) }).base32.replace(/(.{4})(?=.)/g, '$1 ');
}

/** What the QR code holds (Key URI Format). `issuer` and `account` are what the app shows. */
export function totpUri(secret: Buffer, { issuer, account }: { issuer: string; account: string }): string {
  // A colon would end the issuer's part of the label.
  return new TOTP({
    ...form,
    issuer: issuer.replaceAll(':', ' '),
    label: account,
    secret: new Secret({ buffer: bytesOf(secret) }),
  }).toString();
}

/**
 * The time step that a code is of, or nothing when it is none of the present, the one before or the one after. The caller
 * sees to it that no step is accepted twice.
 */
export function totpStep(secret: Buffer, code: string, now = Date.now()): number | undefined {
  if (!/^\d{6}$/.test(code)) return undefined;
  const totp = new TOTP({ ...form, secret: new Secret({ buffer: bytesOf(secret) }) });
  const delta = totp.validate({ token: code, timestamp: now, window });
  return delta === null ? undefined : Math.floor(now / 1000 / form.period) + delta;
}

const bytesOf = (secret: Buffer) => new Uint8Array(secret).buffer;
