import { randomBytes } from 'node:crypto';
import Provider, { errors, type AdapterPayload } from 'oidc-provider';
import { everythingScope } from '@latchkey/contracts';
import {
  consumerOf,
  matchSecret,
  PlainSecret,
  suspendedBecause,
  type Answer,
  type CheckedSecret,
  type KnownRepository,
} from '@latchkey/credentials';
import type { Authority } from './authority.js';
import { markPresentedToken } from './presented-token.js';
import { currentState } from './request-state.js';

/** What the log and the audit trail know of a secret that was right, and was refused. */
export const replacedSecret = 'a replaced secret was presented';
export const suspendedSecret = 'the secret of a suspended credential was presented';

/** OpenID scopes that every app client may ask for. */
export const openidScopes = ['openid', 'profile', 'email', 'offline_access'];

/**
 * The library wants a `client_secret` for clients that authenticate with one. Nobody knows this one, it is compared with
 * nothing (see `compareSecret`), and symmetric algorithms, which would use it as a key, are off.
 */
const placeholderSecret = randomBytes(32).toString('base64url');

/** Well formed, so that comparing it takes as long as comparing a real one. */
const nobodysSecret = PlainSecret.generate('production', 'cs').reveal();

/** Asks the primary for a client and describes it as the library wants it (OpenID Connect Registration 1.0 §2). */
export async function findClient(authority: Authority, repository: KnownRepository, clientId: string): Promise<AdapterPayload | undefined> {
  const answer = await authority.check.ask({ repositoryId: repository.id, clientId, withSecrets: true });
  const client = answer?.repository.alive ? (answer.client ?? suspended(answer)) : undefined;
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
  return metadata(client);
}

/** What the library is told of a client. */
type Described = Pick<NonNullable<Answer['client']>, 'id' | 'kind' | 'name' | 'permissions' | 'redirectUris' | 'postLogoutRedirectUris'>;

/**
 * A credential that the policy of its tenant suspends may do nothing. It is there only for its secret to be compared, so that
 * whoever has that can be told; to everybody else it is as with a wrong secret.
 */
function suspended({ refusedClient }: Answer): Described | undefined {
  if (!refusedClient || refusedClient.because === 'deleted') return undefined;
  const { id, kind } = refusedClient;
  return { id, kind, name: id, permissions: [], redirectUris: [], postLogoutRedirectUris: [] };
}

function metadata(client: Described): AdapterPayload {
  const base = { client_id: client.id, client_name: client.name };
  if (client.kind === 'app') {
    const signsIn = client.redirectUris.length > 0;
    return {
      ...base,
      // Native lets a loopback port vary (RFC 8252 §7.3) and is as strict as web about everything else.
      application_type: 'native',
      token_endpoint_auth_method: 'none',
      redirect_uris: client.redirectUris,
      post_logout_redirect_uris: client.postLogoutRedirectUris,
      grant_types: signsIn ? ['authorization_code', 'refresh_token'] : [],
      response_types: signsIn ? ['code'] : [],
      scope: [...openidScopes, everythingScope, ...client.permissions].join(' '),
    };
  }
  return {
    ...base,
    token_endpoint_auth_method: 'client_secret_basic',
    client_secret: placeholderSecret,
    redirect_uris: [],
    grant_types: ['client_credentials'],
    response_types: [],
    scope: [everythingScope, ...client.permissions].join(' '),
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
  const secrets: CheckedSecret[] = answer?.secrets ?? [];
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
  const outcome = match.outcome === 'live' ? 'accepted' : 'replaced';
  const consumer = consumerOf(request?.headers ?? {});
  authority.uses.record({ repositoryId: repository.id, credentialId: clientId, versionId: match.versionId, outcome, consumer, address });
  if (match.outcome === 'replaced') {
    const refusal = new errors.InvalidClientAuth(replacedSecret);
    refusal.error_description = `this secret was replaced at ${new Date(match.endedAt ?? 0).toISOString()}`;
    throw refusal;
  }
  if (state) state.versionId = match.versionId;
  return answer?.client !== null && answer?.subject?.enabled === true;
}
