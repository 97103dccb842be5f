import { errors, jwtVerify, type JWTPayload } from 'jose';
import { LRUCache } from 'lru-cache';
import { everythingScope } from '@latchkey/contracts';
import type { StoredClientKind } from '@latchkey/database';
import type { Answer, CredentialCheck } from './check.js';
import { CredentialRefused, suspendedBecause } from './credential-refused.js';
import { DpopProofs, type PresentedProof } from './dpop.js';
import type { KnownRepository } from './repository-directory.js';
import type { SigningKeys } from './signing-key.js';

/**
 * What ties an access token (RFC 9068) to the things whose end is its end. It is the claim `lk` of the token.
 */
export interface TokenBinding {
  /** The secret version that minted it; for tools. */
  v?: string;
  /** The grant it belongs to; for a person's token. */
  g?: string;
  /** Generations of repository, client and user when it was minted. */
  n: [repository: number, client: number, user: number];
}

/**
 * The claims that every access token of ours carries besides the standard ones.
 *
 * @param answer of the check that the credential passed in this very request.
 */
export function boundClaims(answer: Answer, binding: { versionId?: string; grantId?: string }): { lk: TokenBinding; client_sub?: string } {
  if (!answer.client || !answer.subject) throw new Error('a token needs a client and a subject');
  const lk: TokenBinding = { n: [answer.repository.generation, answer.client.generation, answer.subject.generation] };
  if (binding.versionId) lk.v = binding.versionId;
  if (binding.grantId) lk.g = binding.grantId;
  // Existing .NET and JavaScript clients read the tool's login name from client_sub.
  return answer.client.kind === 'app' ? { lk } : { lk, client_sub: answer.subject.loginName };
}

/** An access token that was alive when the check was made. */
export interface VerifiedToken {
  tokenId: string;
  clientId: string;
  clientKind: StoredClientKind;
  /** The tenant that the client belongs to: the repository's, or the one whose credential it is at the console. */
  tenantId: string;
  userId: number;
  loginName: string;
  scopes: string[];
  /** What the token may do: the permissions of its client as of now, as far as its scopes name them. */
  permissions: string[];
  grantId: string | undefined;
  /** The secret version or key that minted it. */
  versionId: string | undefined;
  /** Thumbprint of the key that it is bound to (RFC 9449 §6.1); whoever presents it must prove to hold the key. */
  keyThumbprint: string | undefined;
  /** What the app asked userinfo to tell (OpenID Connect Core 1.0 §5.5). */
  userinfoClaims: Record<string, unknown>;
  issuedAt: number;
  /** Seconds since the epoch. */
  expiresAt: number;
}

export interface TokenVerifierOptions {
  check: CredentialCheck;
  keys: SigningKeys;
  /** The issuer of a repository, from its slug. */
  issuerOf: (slug: string) => string;
  /** Whether this other issuer is of the repository too, now: that of its domain. None is if absent. */
  isIssuerOf?: (slug: string, issuer: string) => Promise<boolean>;
  /** The audience of a repository's tokens, from its slug. */
  audienceOf: (slug: string) => string;
}

/** Why a token is refused that has come to its end by itself. */
export const tokenExpired = 'the token has expired';

/** Tokens that a process remembers at most to have seen rightly signed: about 20 MB. */
const remembered = 10_000;

/** Tells live access tokens of a repository from everything else. */
export class TokenVerifier {
  readonly #options: TokenVerifierOptions;
  readonly #proofs = new DpopProofs();
  /**
   * By repository and token, what it says. That it was signed so stays true whatever happens, and takes longer to find out
   * than all the rest; whether it is alive, its time and its issuer are asked each time.
   */
  readonly #signed = new LRUCache<string, SignedToken>({ max: remembered });

  constructor(options: TokenVerifierOptions) {
    this.#options = options;
  }

  /**
   * Whether a token opens an API to whoever presents it: `inspect`, and for a token that is bound to a key the proof that
   * the caller holds it (RFC 9449 §7.1). Such a token is refused as a plain bearer token, and a plain one with a proof.
   *
   * @param proof of a request with the scheme DPoP; nothing with the scheme Bearer.
   * @throws as `inspect` does, and CredentialRefused when the proof does not fit.
   */
  async verify(repository: KnownRepository, token: string, proof?: PresentedProof): Promise<VerifiedToken> {
    const verified = await this.inspect(repository, token);
    const { keyThumbprint, clientId, clientKind, tenantId, userId } = verified;
    const refusal = (reason: string) => new CredentialRefused(reason, { clientId, clientKind, tenantId, userId });
    if (proof && keyThumbprint === undefined) throw refusal('the token is not bound to a key: present it with the scheme Bearer');
    if (!proof && keyThumbprint !== undefined) throw refusal('the token is bound to a key: present it with the scheme DPoP and a proof');
    if (proof && keyThumbprint !== undefined) {
      await this.#proofs.verify(token, keyThumbprint, proof).catch((error: unknown) => {
        throw error instanceof CredentialRefused ? refusal(error.reason) : error;
      });
    }
    return verified;
  }

  /**
   * What a token is, whoever presents it: verifies signature, type, issuer, audience and times (RFC 9068 §4), and then asks
   * the primary whether everything that the token hangs on is alive. One statement.
   *
   * @param options.evenExpired of a token that was taken when the call began, and may have come to its end by itself since.
   * @throws CredentialRefused for anything but a live token of this repository.
   * @throws the driver's error when the primary cannot be asked.
   */
  async inspect(repository: KnownRepository, token: string, { evenExpired = false } = {}): Promise<VerifiedToken> {
    const { claims, kid } = await this.#readSigned(repository, token, evenExpired);
    const binding = readBinding(claims);
    const userId = Number(claims.sub);
    const answer = await this.#options.check.ask({
      repositoryId: repository.id,
      clientId: claims.client_id,
      userId,
      versionId: binding.v,
      grantId: binding.g,
      tokenId: claims.jti,
    });
    const { client, subject, settingsVersion, refusal } = refuseUnlessAlive(answer, binding, userId);
    if (!(await this.#options.keys.stillPublished(repository, kid, settingsVersion)))
      throw refusal('the key that signed the token was taken away');
    const scopes = claims.scope?.split(' ') ?? [];
    return {
      tokenId: claims.jti,
      clientId: client.id,
      clientKind: client.kind,
      tenantId: client.tenantId,
      userId,
      loginName: subject.loginName,
      scopes,
      permissions: scopes.includes(everythingScope)
        ? client.permissions
        : client.permissions.filter((permission) => scopes.includes(permission)),
      grantId: binding.g,
      versionId: binding.v,
      keyThumbprint: readConfirmation(claims),
      userinfoClaims: claims.userinfo_claims ?? {},
      issuedAt: claims.iat,
      expiresAt: claims.exp,
    };
  }

  /** What a token of the repository says that is rightly signed, meant for its API and, unless that is no matter, not expired. */
  async #readSigned(repository: KnownRepository, token: string, evenExpired: boolean): Promise<SignedToken> {
    const { issuerOf, isIssuerOf } = this.#options;
    const name = `${repository.id} ${token}`;
    let signed = this.#signed.get(name);
    if (!signed) this.#signed.set(name, (signed = await this.#verifySignature(repository, token, evenExpired)));
    const { exp, iss = '' } = signed.claims;
    if (exp * 1_000 <= Date.now() && !evenExpired) {
      this.#signed.delete(name);
      throw new CredentialRefused(tokenExpired);
    }
    const isIssuer = iss === issuerOf(repository.slug) || (await isIssuerOf?.(repository.slug, iss)) === true;
    if (!isIssuer) throw new CredentialRefused('the token is not valid');
    return signed;
  }

  async #verifySignature(repository: KnownRepository, token: string, evenExpired: boolean): Promise<SignedToken> {
    const { keys, audienceOf } = this.#options;
    try {
      const { payload, protectedHeader } = await jwtVerify<AccessTokenClaims>(
        token,
        async ({ kid }) => {
          const key = kid === undefined ? undefined : await keys.publicKey(repository, kid);
          if (!key) throw new CredentialRefused('the token is not signed by this authority');
          return key;
        },
        {
          audience: audienceOf(repository.slug),
          typ: 'at+jwt',
          algorithms: ['ES256', 'RS256'],
          ...(evenExpired ? { currentDate: new Date(0) } : {}),
          requiredClaims: ['iss', 'sub', 'exp', 'iat', 'jti', 'client_id', 'lk'],
        },
      );
      return { claims: payload, kid: protectedHeader.kid ?? '' };
    } catch (error) {
      if (error instanceof errors.JOSEError)
        throw new CredentialRefused(error instanceof errors.JWTExpired ? tokenExpired : 'the token is not valid');
      throw error;
    }
  }
}

interface SignedToken {
  claims: AccessTokenClaims;
  /** The key that signed it. */
  kid: string;
}

interface AccessTokenClaims extends JWTPayload {
  sub: string;
  iat: number;
  exp: number;
  jti: string;
  client_id: string;
  scope?: string;
  cnf?: unknown;
  userinfo_claims?: Record<string, unknown>;
  lk: unknown;
}

/** @throws CredentialRefused for a binding that nothing here could check (RFC 7800 §3.1). */
function readConfirmation({ cnf }: AccessTokenClaims): string | undefined {
  if (cnf === undefined) return undefined;
  const { jkt } = (cnf ?? {}) as { jkt?: unknown };
  if (typeof jkt !== 'string') throw new CredentialRefused('the token is bound in a way that is not known here');
  return jkt;
}

function readBinding(claims: AccessTokenClaims): TokenBinding {
  const { v, g, n } = (claims.lk ?? {}) as Partial<TokenBinding>;
  // A token that hangs on nothing could not be cut off, so there is none.
  if (!/^[1-9]\d{0,9}$/.test(claims.sub) || !Array.isArray(n) || n.length !== 3 || (v === undefined && g === undefined)) {
    throw new CredentialRefused('the token is not bound to a credential');
  }
  return { n, ...(v === undefined ? {} : { v }), ...(g === undefined ? {} : { g }) };
}

function refuseUnlessAlive(answer: Answer | undefined, binding: TokenBinding, userId: number) {
  const known = answer?.client ?? answer?.refusedClient;
  const holder = known ? { clientId: known.id, clientKind: known.kind, tenantId: known.tenantId, userId } : undefined;
  const refusal = (reason: string) => new CredentialRefused(reason, holder);
  if (!answer?.repository.alive) throw refusal('the repository is not active');
  const { client, refusedClient, subject } = answer;
  if (refusedClient && refusedClient.because !== 'deleted') throw refusal(suspendedBecause(refusedClient.because));
  if (!client) throw refusal('the client is gone');
  if (!subject?.enabled) throw refusal('the user is disabled or gone');
  const [repositoryGeneration, clientGeneration, userGeneration] = binding.n;
  const current =
    answer.repository.generation === repositoryGeneration &&
    client.generation === clientGeneration &&
    subject.generation === userGeneration;
  if (!current || answer.versionAlive === false || answer.grantAlive === false) throw refusal('what the token was issued for has ended');
  if (answer.tokenRevoked) throw refusal('the token was revoked');
  return { client, subject, settingsVersion: answer.repository.settingsVersion, refusal };
}
