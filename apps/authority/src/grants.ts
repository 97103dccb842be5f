import Provider, { errors, type KoaContextWithOIDC } from 'oidc-provider';
import { boundClaims, type Answer, type KnownRepository, type Question } from '@latchkey/credentials';
import { findUser } from '@latchkey/content';
import type { Authority } from './authority.js';
import { Records } from './records.js';
import { stateOf, type RequestState } from './request-state.js';
import type { RecordOwner } from './stored-records.js';
import { toolClaims } from './tool-token.js';

/** Writes into an access token whom it is about and what its life hangs on. */
export async function bindToken(
  authority: Authority,
  repository: KnownRepository,
  ctx: KoaContextWithOIDC,
  token: { kind: string; clientId: string; accountId?: string; grantId?: string; claims?: { userinfo?: object } },
  jwt: { payload: Record<string, unknown> },
): Promise<void> {
  const state = stateOf(ctx);
  if (token.kind === 'ClientCredentials') {
    const claims = state.client && state.versionId ? toolClaims(state.client, state.versionId) : undefined;
    if (!claims) throw new errors.InvalidClientAuth('the client has no user to act as');
    Object.assign(jwt.payload, claims);
    return;
  }
  const answer = knownOf(state, token) ?? (await authority.check.ask(questionAbout(repository, token)));
  if (!answer?.repository.alive || !answer.client || !answer.subject?.enabled || !answer.grantAlive || !token.grantId)
    throw new errors.InvalidGrant('the grant has ended');
  Object.assign(jwt.payload, boundClaims(answer, { grantId: token.grantId }));
  // What the request asked userinfo to tell (OpenID Connect Core 1.0 §5.5). The library keeps it with opaque tokens alone.
  const { AuthorizationCode: code, DeviceCode: deviceCode, RefreshToken: refreshToken } = ctx.oidc.entities;
  const asked = (code ?? deviceCode ?? refreshToken)?.claims?.userinfo;
  if (asked) jwt.payload['userinfo_claims'] = asked;
}

interface PersonsToken {
  clientId: string;
  accountId?: string;
  grantId?: string;
}

function questionAbout(repository: KnownRepository, { clientId, accountId, grantId }: PersonsToken): Question {
  return { repositoryId: repository.id, clientId, userId: Number(accountId), grantId };
}

/** What the request has been told already: of the client by its check, of the person and the grant when it found what it presents. */
function knownOf({ client, records: { person, grants } }: RequestState, token: PersonsToken): Answer | undefined {
  if (client?.client?.id !== token.clientId || client.client.kind !== 'app' || !person || String(person.id) !== token.accountId)
    return undefined;
  if (token.grantId === undefined || !grants.has(token.grantId)) return undefined;
  return { ...client, subject: { ...person, enabled: true }, grantAlive: true };
}

/** The person with this `sub`, if there is one who may sign in. */
export async function findAccount(authority: Authority, repository: KnownRepository, ctx: KoaContextWithOIDC, id: string) {
  if (!/^[1-9]\d{0,8}$/.test(id)) return undefined;
  const user = (await personOf(authority, repository, ctx, id)) ?? (await findEnabled(authority, repository, id));
  if (!user) return undefined;
  return {
    accountId: id,
    claims: () => ({
      sub: id,
      name: user.name,
      preferred_username: user.loginName,
      ...(user.email ? { email: user.email, email_verified: user.emailVerified } : {}),
    }),
  };
}

/** A person who has been found with what is theirs. Whom an access token is about is found with its grant, which is asked for next. */
async function personOf(
  authority: Authority,
  repository: KnownRepository,
  ctx: KoaContextWithOIDC,
  id: string,
): Promise<RecordOwner | undefined> {
  const { records } = stateOf(ctx);
  const { grantId } = ctx.oidc.entities.AccessToken ?? {};
  if (!records.person && grantId !== undefined) await new Records(authority, repository, 'Grant').lookAhead(grantId);
  return String(records.person?.id) === id ? records.person : undefined;
}

async function findEnabled(authority: Authority, repository: KnownRepository, id: string) {
  const user = await authority.database.read({ repositoryId: repository.id }, (tx) =>
    findUser(tx, { repositoryId: repository.id, id: Number(id) }),
  );
  return user?.enabled ? user : undefined;
}

/**
 * Whoever was disabled or removed after the library had found their session has no account any more, and the library would go
 * on without. The session is looked for again, and so is gone: what follows is what follows for somebody who has none.
 */
export async function forgetEnded(provider: Provider, ctx: KoaContextWithOIDC): Promise<boolean> {
  if (ctx.oidc.session?.accountId === undefined || ctx.oidc.account) return false;
  Object.assign(ctx.oidc, { session: await provider.Session.get(ctx) });
  return true;
}

/** The grant of a person to an app: what the app asks for and may have. It lives as long as the session, at least. */
export async function grantWhatIsAsked(provider: Provider, ctx: KoaContextWithOIDC, sessionSeconds: number) {
  const { client, session, requestParamScopes, requestParamClaims, resourceServers = {} } = ctx.oidc;
  if (!client || !session?.accountId) return undefined;
  const grantId = session.grantIdFor(client.clientId);
  const known = grantId === undefined ? undefined : await provider.Grant.find(grantId);
  const grant = known ?? new provider.Grant({ clientId: client.clientId, accountId: session.accountId });
  // Of an earlier sign-in in this session: without an end it gets the one that a new grant would have.
  if (grant.exp !== undefined && grant.exp < (session.loginTs ?? 0) + sessionSeconds) Object.assign(grant, { exp: undefined });
  const scopes = [...requestParamScopes];
  grant.addOIDCScope(scopes.join(' '));
  grant.addOIDCClaims([...requestParamClaims]);
  for (const resource of Object.keys(resourceServers)) grant.addResourceScope(resource, scopes.join(' '));
  await grant.save();
  return grant;
}
