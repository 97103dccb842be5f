import type {
  AuthenticationResponseJSON,
  AuthenticatorTransport,
  PublicKeyCredentialCreationOptionsJSON,
  PublicKeyCredentialRequestOptionsJSON,
  RegistrationResponseJSON,
} from '@simplewebauthn/server';
import { z } from 'zod';

const webauthn = () => import('@simplewebauthn/server');

/**
 * Loads what passkeys take: hundreds of modules, which every program that uses credentials would otherwise load at its start,
 * and which block whoever loads them. Programs at which people sign in call it before they serve.
 */
export async function preparePasskeys(): Promise<void> {
  await webauthn();
}

/** EdDSA, ES256, RS256 (COSE): what authenticators have, and no experiment of the runtime's. */
const algorithms = [-8, -7, -257];

/** How long a browser waits for a person, in milliseconds. */
const timeout = 5 * 60_000;

const base64url = z
  .string()
  .max(8_000)
  .regex(/^[\w-]+$/);
const envelope = { id: base64url, rawId: base64url, type: z.literal('public-key'), clientExtensionResults: z.object({}).default({}) };

/** What a browser answers a registration with (WebAuthn Level 3 §5.1, RegistrationResponseJSON). */
const registration = z.object({
  ...envelope,
  response: z.object({
    clientDataJSON: base64url,
    attestationObject: base64url,
    transports: z.array(z.string().max(32)).max(10).default([]),
  }),
});

/** What a browser answers a sign-in with (AuthenticationResponseJSON). */
const assertion = z.object({
  ...envelope,
  response: z.object({
    clientDataJSON: base64url,
    authenticatorData: base64url,
    signature: base64url,
    userHandle: base64url.nullish().transform((handle) => handle ?? undefined),
  }),
});

/** Where passkeys are made and used: the authority's address decides both. */
export interface RelyingParty {
  /** Host: what browsers bind a passkey to. Issuers on one host share it, so that it proves nothing about the repository. */
  id: string;
  /** Scheme, host and port that a ceremony must have run at. */
  origin: string;
  name: string;
}

/** A public key and what its authenticator said of it. */
export interface NewPasskey {
  credentialId: Buffer;
  publicKey: Buffer;
  signCount: number;
  transports: string[];
  synced: boolean;
}

/** A passkey that an answer is checked against. */
export interface StoredPasskey {
  credentialId: Buffer;
  publicKey: Buffer;
  signCount: number;
  transports: string[];
}

/** What a valid answer says. */
export interface Proved {
  signCount: number;
  /** The device knows the person by PIN or body, so that the passkey stands for two factors. */
  userVerified: boolean;
}

/** Says which user of which repository a passkey is for, in 20 bytes that name nobody (WebAuthn Level 3 §14.6.1). */
export function userHandle({ repositoryId, userId }: { repositoryId: string; userId: number }): Buffer {
  const handle = Buffer.alloc(20);
  handle.write(repositoryId.replaceAll('-', ''), 0, 'hex');
  handle.writeUInt32BE(userId, 16);
  return handle;
}

/** What a browser needs to make a passkey. Known ones are excluded, so that a device makes no second. */
export async function registrationOptions(
  party: RelyingParty,
  person: { repositoryId: string; userId: number; loginName: string; name: string },
  known: Pick<StoredPasskey, 'credentialId' | 'transports'>[],
): Promise<PublicKeyCredentialCreationOptionsJSON> {
  const { generateRegistrationOptions } = await webauthn();
  return generateRegistrationOptions({
    rpName: party.name,
    rpID: party.id,
    userName: person.loginName,
    userDisplayName: person.name,
    userID: new Uint8Array(userHandle(person)),
    attestationType: 'none',
    supportedAlgorithmIDs: algorithms,
    excludeCredentials: known.map(reference),
    authenticatorSelection: { residentKey: 'preferred', userVerification: 'preferred' },
    timeout,
  });
}

/**
 * Verifies the answer to a registration.
 *
 * @param challenge as the options had it; it must not be used again, whatever this says.
 * @returns nothing when anything about it is wrong.
 */
export async function verifyRegistration(party: RelyingParty, challenge: string, answer: string): Promise<NewPasskey | undefined> {
  const response = parse(registration, answer);
  if (!response) return undefined;
  const { verifyRegistrationResponse } = await webauthn();
  const verified = await verifyRegistrationResponse({
    response: response as RegistrationResponseJSON,
    expectedChallenge: challenge,
    expectedOrigin: party.origin,
    expectedRPID: party.id,
    requireUserVerification: false,
    supportedAlgorithmIDs: algorithms,
  }).catch(() => undefined);
  if (!verified?.verified) return undefined;
  const { credential, credentialDeviceType } = verified.registrationInfo;
  return {
    credentialId: Buffer.from(credential.id, 'base64url'),
    publicKey: Buffer.from(credential.publicKey),
    signCount: credential.counter,
    transports: response.response.transports,
    synced: credentialDeviceType === 'multiDevice',
  };
}

/**
 * What a browser needs to use a passkey: one of those that are named, or any that it has for this host, which then must know
 * the person by itself.
 */
export async function assertionOptions(
  party: RelyingParty,
  allowed?: Pick<StoredPasskey, 'credentialId' | 'transports'>[],
): Promise<PublicKeyCredentialRequestOptionsJSON> {
  const { generateAuthenticationOptions } = await webauthn();
  return generateAuthenticationOptions({
    rpID: party.id,
    ...(allowed ? { allowCredentials: allowed.map(reference) } : {}),
    userVerification: allowed ? 'preferred' : 'required',
    timeout,
  });
}

/** An answer that has been read, but not verified. */
export type Assertion = z.infer<typeof assertion>;

/** Reads an answer, to find the passkey that it names. @returns nothing when it is none. */
export function parseAssertion(answer: string): Assertion | undefined {
  return parse(assertion, answer);
}

/**
 * Verifies an answer against the passkey that it names: signature, challenge, origin, host, presence, and a signature
 * counter that has gone up where there is one (WebAuthn Level 3 §7.2).
 *
 * @param options.alone it is the only factor: the device must know the person, and the answer must say whose it is.
 * @returns nothing when anything about it is wrong.
 */
export async function verifyAssertion(
  party: RelyingParty,
  challenge: string,
  answer: Assertion,
  passkey: StoredPasskey & { repositoryId: string; userId: number },
  { alone }: { alone: boolean },
): Promise<Proved | undefined> {
  const handle = answer.response.userHandle;
  if (handle === undefined ? alone : !Buffer.from(handle, 'base64url').equals(userHandle(passkey))) return undefined;
  const { verifyAuthenticationResponse } = await webauthn();
  const verified = await verifyAuthenticationResponse({
    response: answer as unknown as AuthenticationResponseJSON,
    expectedChallenge: challenge,
    expectedOrigin: party.origin,
    expectedRPID: party.id,
    credential: {
      id: passkey.credentialId.toString('base64url'),
      publicKey: new Uint8Array(passkey.publicKey),
      counter: passkey.signCount,
    },
    requireUserVerification: alone,
  }).catch(() => undefined);
  if (!verified?.verified) return undefined;
  const { newCounter, userVerified } = verified.authenticationInfo;
  return { signCount: newCounter, userVerified };
}

function reference({ credentialId, transports }: Pick<StoredPasskey, 'credentialId' | 'transports'>) {
  return { id: credentialId.toString('base64url'), transports: transports as AuthenticatorTransport[] };
}

function parse<T extends z.ZodType>(schema: T, text: string): z.infer<T> | undefined {
  try {
    const parsed = schema.safeParse(JSON.parse(text));
    return parsed.success ? parsed.data : undefined;
  } catch {
    return undefined;
  }
}
