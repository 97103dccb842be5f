import { randomBytes } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import Provider, { errors, type AdapterPayload } from 'oidc-provider';
import { decodeProtectedHeader } from 'jose';
import { everythingScope } from '@latchkey/contracts';
import { isUnavailable } from '@latchkey/database';
import {
  consumerOf,
  fetchClientKeys,
  matchSecret,
  PlainSecret,
  suspendedBecause,
  type Answer,
  type CheckedSecret,
  type ClientDetails,
  type KnownRepository,
  type SecretMatch,
} from '@latchkey/credentials';
import type { Authority } from './authority.js';
import { deviceGrantType } from './device-flow.js';
import { markPresentedToken } from './presented-token.js';
import { currentState } from './request-state.js';
import { openidScopes, toolScopes } from './tool-token.js';

/** What the log and the audit trail know of a secret that was right, and was refused. */
export const replacedSecret = 'a replaced secret was presented';
export const suspendedSecret = 'the secret of a suspended credential was presented';

/**
 * The library wants a `client_secret` for clients that authenticate with one. Nobody knows this one, it is compared with
 * nothing (see `compareSecret`), and symmetric algorithms, which would use it as a key, are off.
 */
const placeholderSecret = randomBytes(32).toString('base64url');

/** Well formed, so that comparing it takes as long as comparing a real one. */
const nobodysSecret = PlainSecret.generate('production', 'cs').reveal();

/** Asks the primary for a client and describes it as the library wants it (OpenID Connect Registration 1.0 §2). */
export async function findClient(
  authority: Authority,
  repository: KnownRepository,
  clientId: string,
  abilities: ClientAbilities,
): Promise<AdapterPayload | undefined> {
  const assertion = presentedAssertion();
  const answer = await askForClient(authority, repository, clientId, assertion);
  const client = answer?.repository.alive ? (described(answer) ?? suspended(answer)) : undefined;
  const guesser = { repositoryId: repository.id, clientId: client?.id, address: authority.addressOf(Provider.ctx?.req) };
  await authority.guessing.refuseGuesser(guesser);
  const state = currentState();
  // The first client that a request looks up is the one that makes it. One that was deleted is for the audit trail.
  if (state && (client || answer?.refusedClient)) state.client ??= answer;
  if (!client) {
    // An unknown client takes as long as a wrong secret: a comparison is made all the same.
    matchSecret(authority.peppers, repository.environment, [], nobodysSecret);
    authority.guessing.failed(guesser);
    return undefined;
  }
  markPresentedToken();
  return metadata(client, { ...abilities, byKey: assertion !== undefined });
}

/** What the repository's settings let its app clients do. */
export interface ClientAbilities {
  /** Sign people in on devices (RFC 8628). */
  deviceFlow: boolean;
}

/** What the library is told of a client. */
type Described = Pick<NonNullable<Answer['client']>, 'id' | 'kind' | 'permissions'> & { details: ClientDetails };

/** A client that was asked for with its secrets. */
function described({ client }: Answer): Described | undefined {
  return client?.details ? { ...client, details: client.details } : undefined;
}

/**
 * A credential that the policy of its tenant suspends may do nothing. It is there only for its secret to be compared, so that
 * whoever has that can be told; to everybody else it is as with a wrong secret.
 */
function suspended({ refusedClient }: Answer): Described | undefined {
  if (!refusedClient || refusedClient.because === 'deleted') return undefined;
  const { id, kind } = refusedClient;
  const details = {
    redirectUris: [],
    postLogoutRedirectUris: [],
    backchannelLogoutUri: null,
    jwksUri: null,
    keys: null,
    tokenSeconds: null,
  };
  return { id, kind, permissions: [], details: { name: id, ...details } };
}

/** The assertion with which the request proves who it is (RFC 7523 §2.2), if it has one. */
function presentedAssertion(): string | undefined {
  const { client_assertion: assertion } = (Provider.ctx?.oidc.params ?? {}) as { client_assertion?: unknown };
  return typeof assertion === 'string' ? assertion : undefined;
}

/** For how long a client's own server is not asked again for its keys. */
const fetchEverySeconds = 10;

/**
 * Asks the primary. Whoever names a key that is not known yet, and publishes keys, has theirs read before the answer counts;
 * what was read is asked for again, so that it is the check that says which keys are alive.
 */
async function askForClient(
  authority: Authority,
  repository: KnownRepository,
  clientId: string,
  assertion: string | undefined,
): Promise<Answer | undefined> {
  // No text of PostgreSQL's holds it, and a statement with it would fail for all who share it.
  if (clientId.includes('\0')) return undefined;
  const ask = () => authority.check.ask({ repositoryId: repository.id, clientId, withSecrets: true });
  const known = currentState()?.named;
  const answer = known?.repositoryId === repository.id && known.clientId === clientId ? known.answer : await ask();
  const client = answer?.client;
  if (!assertion || !answer?.repository.alive || !client?.details?.jwksUri) return answer;
  const kid = keyIdOf(assertion);
  if (client.details.keys?.some(({ jwk }) => jwk.kid === kid)) return answer;
  const { allowPrivateAddresses, database, log } = authority;
  const owner = { tenantId: client.tenantId, repositoryId: repository.id, clientId };
  const fetched = await fetchClientKeys(database, owner, { everySeconds: fetchEverySeconds, allowPrivateAddresses }).catch(
    (error: unknown) => {
      if (isUnavailable(error)) throw error;
      log.info({ err: error, repository: repository.slug, client: clientId }, 'the keys of a client could not be read');
      return false;
    },
  );
  return fetched ? ask() : answer;
}

function keyIdOf(assertion: string): string | undefined {
  try {
    return decodeProtectedHeader(assertion).kid;
  } catch {
    return undefined;
  }
}

function metadata(client: Described, { byKey, deviceFlow }: ClientAbilities & { byKey: boolean }): AdapterPayload {
  const { details } = client;
  const base = { client_id: client.id, client_name: details.name };
  if (client.kind === 'app') {
    const signsIn = details.redirectUris.length > 0;
    return {
      ...base,
      // Native lets a loopback port vary (RFC 8252 §7.3) and is as strict as web about everything else.
      application_type: 'native',
      token_endpoint_auth_method: 'none',
      redirect_uris: [...details.redirectUris],
      post_logout_redirect_uris: [...details.postLogoutRedirectUris],
      grant_types: [
        ...(signsIn ? ['authorization_code'] : []),
        ...(deviceFlow ? [deviceGrantType] : []),
        ...(signsIn || deviceFlow ? ['refresh_token'] : []),
      ],
      response_types: signsIn ? ['code'] : [],
      scope: [...openidScopes, everythingScope, ...client.permissions].join(' '),
      ...(details.backchannelLogoutUri === null
        ? {}
        : { backchannel_logout_uri: details.backchannelLogoutUri, backchannel_logout_session_required: true }),
    };
  }
  return {
    ...base,
    // A tool may have both secrets and keys. How the request proves who it is decides what the library compares.
    ...(byKey && details.keys?.length
      ? { token_endpoint_auth_method: 'private_key_jwt', jwks: { keys: details.keys.map(({ jwk }) => ({ ...jwk })) as never } }
      : { token_endpoint_auth_method: 'client_secret_basic', client_secret: placeholderSecret }),
    redirect_uris: [],
    grant_types: ['client_credentials'],
    response_types: [],
    scope: toolScopes(client).join(' '),
  };
}

/**
 * The library's hook for hashed secrets: compares what was presented with the versions that this very request got from the
 * primary, and notes which one it was, because the token will name it.
 *
 * @throws InvalidClientAuth that says when the secret was replaced, or why the credential is suspended, to whoever proves to
 * have, or to have had, the secret.
 */
export function compareSecret(authority: Authority, repository: KnownRepository, clientId: string, presented: string): boolean {
  const state = currentState();
  const named = state?.client?.client ?? state?.client?.refusedClient;
  const answer = named?.id === clientId ? state?.client : undefined;
  const secrets: readonly CheckedSecret[] = answer?.secrets ?? [];
  const match = matchSecret(authority.peppers, repository.environment, secrets, presented);
  const request = Provider.ctx?.req;
  const address = authority.addressOf(request);
  if (match.outcome === 'wrong') {
    authority.guessing.failed({ repositoryId: repository.id, clientId, address });
    return false;
  }
  const because = answer?.refusedClient?.because;
  if (match.outcome === 'live' && because !== undefined) {
    if (because === 'deleted') return false;
    throw Object.assign(new errors.InvalidClientAuth(suspendedSecret), { error_description: suspendedBecause(because) });
  }
  recordUse(authority, repository, clientId, match, request);
  if (match.outcome === 'replaced') throw refusedAsReplaced(match);
  if (state) state.versionId = match.versionId;
  return answer?.client !== null && answer?.subject?.enabled === true;
}

/** A secret that was right once. */
export type Replaced = Extract<SecretMatch, { outcome: 'replaced' }>;

/** Tells whoever has had a secret when it was replaced. */
export function refusedAsReplaced({ endedAt }: Replaced): errors.InvalidClientAuth {
  const error_description = `this secret was replaced at ${new Date(endedAt ?? 0).toISOString()}`;
  return Object.assign(new errors.InvalidClientAuth(replacedSecret), { error_description });
}

/** How long an assertion may be good for: it is remembered as long, so that it is used once. */
const maxAssertionSeconds = 3600;

/**
 * The library has verified an assertion with one of the keys that this very request got from the primary; notes which one it
 * was, because the token will name it.
 *
 * @throws InvalidClientAuth when that cannot be told, when the assertion is good for too long, or its client acts as nobody.
 */
export function acceptAssertion(
  authority: Authority,
  repository: KnownRepository,
  clientId: string,
  claims: { exp?: unknown },
  header: { kid?: unknown },
): void {
  const state = currentState();
  const answer = state?.client?.client?.id === clientId ? state.client : undefined;
  const keys = answer?.client?.details?.keys ?? [];
  const key = header.kid === undefined ? (keys.length === 1 ? keys[0] : undefined) : keys.find(({ jwk }) => jwk.kid === header.kid);
  if (!key) throw new errors.InvalidClientAuth("the assertion does not name one of the client's keys");
  if (typeof claims.exp !== 'number' || claims.exp > Date.now() / 1000 + maxAssertionSeconds)
    throw new errors.InvalidClientAuth('the assertion is good for more than an hour');
  if (!state || !answer?.subject?.enabled) throw new errors.InvalidClientAuth('the client acts as nobody');
  recordUse(authority, repository, clientId, { outcome: 'live', versionId: key.id }, Provider.ctx?.req);
  state.versionId = key.id;
}

/** Notes who has just used a secret or key, or a secret that was replaced. */
export function recordUse(
  authority: Authority,
  repository: KnownRepository,
  clientId: string,
  { outcome, versionId }: Exclude<SecretMatch, { outcome: 'wrong' }>,
  request: IncomingMessage | undefined,
): void {
  authority.uses.record({
    repositoryId: repository.id,
    credentialId: clientId,
    versionId,
    outcome: outcome === 'live' ? 'accepted' : 'replaced',
    consumer: consumerOf(request?.headers ?? {}),
    address: authority.addressOf(request),
  });
}
