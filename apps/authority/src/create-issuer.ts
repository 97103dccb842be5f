import { createHmac } from 'node:crypto';
import Provider, { errors, interactionPolicy, type Configuration, type KoaContextWithOIDC } from 'oidc-provider';
import { everythingScope, repositoryPermissions, tenantPermissions } from '@latchkey/contracts';
import { boundClaims, type KnownRepository, type PrivateJwk } from '@latchkey/credentials';
import { findUser } from '@latchkey/content';
import { isUnavailable, Repository } from '@latchkey/database';
import { consoleSlug } from '@latchkey/tenancy';
import type { Authority } from './authority.js';
import { compareSecret, openidScopes } from './clients.js';
import type { Issuer } from './issuer.js';
import { errorPage, signedOutPage, signOutPage } from './pages/library-pages.js';
import { languageTags } from './pages/texts/choose.js';
import { Records } from './records.js';
import { recordRefusedCall } from './refused.js';
import { stateOf } from './request-state.js';
import { ageHeaders } from './secret-age.js';

const day = 86_400;

/** How long things live, in seconds. Access tokens live as the repository's settings say. */
const lives = {
  AuthorizationCode: 60,
  IdToken: 3600,
  Interaction: 3600,
  Session: 30 * day,
  Grant: 30 * day,
  RefreshToken: 30 * day,
};

/** Builds the issuer of a repository from its settings as they are now. */
export async function createIssuer(authority: Authority, repository: KnownRepository): Promise<Issuer> {
  const [row, jwks] = await Promise.all([
    authority.database.read({ repositoryId: repository.id }, (tx) => tx.findOneByOrFail(Repository, { id: repository.id })),
    authority.keys.privateJwks(repository, authority.encryption),
  ]);
  const url = authority.addresses.of(repository.slug);
  const issuer: Issuer = { repository, name: row.name, url, provider: undefined as never };
  const provider = new Provider(url, configuration(authority, issuer, row, jwks));
  issuer.provider = provider;

  // Our server has settled host and scheme before the library sees a request (see server.ts).
  provider.proxy = true;
  provider.Client.prototype.compareClientSecret = function (this: { clientId: string }, presented: string) {
    return compareSecret(authority, repository, this.clientId, presented);
  };
  provider.on('server_error', (ctx: KoaContextWithOIDC, error: Error) => {
    authority.log.error({ err: error, repository: repository.slug }, 'the authority failed');
    stateOf(ctx).unavailable = isUnavailable(error);
  });
  const refused = (ctx: KoaContextWithOIDC, error: Error) => recordRefusedCall(authority, repository, ctx, error);
  provider.on('grant.error', refused).on('introspection.error', refused).on('revocation.error', refused).on('userinfo.error', refused);
  provider.use(async (ctx, next) => {
    await next();
    const state = stateOf(ctx as KoaContextWithOIDC);
    if (state.unavailable) answerUnavailable(ctx);
    else ctx.set(ageHeaders(state));
  });
  return issuer;
}

/** The library calls whatever its storage throws a server error; that the database is away is not one (RFC 9110 §15.6.4). */
function answerUnavailable(ctx: Pick<KoaContextWithOIDC, 'status' | 'set' | 'body'>): void {
  ctx.status = 503;
  ctx.set('Retry-After', '1');
  ctx.body = { error: 'temporarily_unavailable', error_description: 'The authority cannot check credentials now. Try again in a moment.' };
}

/** Everything that oidc-provider is told, each with its reason. */
function configuration(authority: Authority, issuer: Issuer, row: Repository, keys: PrivateJwk[]): Configuration {
  const { repository, url } = issuer;
  const { pathname, protocol } = new URL(url);
  const audience = authority.audienceOf(repository.slug);
  // The key that signs comes first.
  const algorithm = (keys[0]?.alg ?? 'ES256') as 'ES256';
  const algorithms = [...new Set(keys.map((key) => key.alg as 'ES256'))];
  const secure = protocol === 'https:';
  // A session cookie must reach the hidden iframe of silent renewal on another site, which takes SameSite=None, which
  // browsers only accept with Secure. Without https, on one machine, everything is one site.
  const cookie = {
    path: pathname === '/' ? '/' : `${pathname}/`,
    sameSite: secure ? ('none' as const) : ('lax' as const),
    httpOnly: true,
    signed: true,
    overwrite: true,
  };
  const policy = interactionPolicy.base();
  // A repository's own apps need nobody's consent; see loadExistingGrant.
  policy.remove('consent');
  const ended = new interactionPolicy.Check('account_ended', 'End-User authentication is required', 'login_required', (ctx) =>
    forgetEnded(issuer.provider, ctx),
  );
  policy.get('login')?.checks.add(ended);

  return {
    adapter: (kind: string) => new Records(authority, repository, kind),
    jwks: { keys: keys as never },
    // No client_secret_jwt: its key would be the placeholder secret, which is the same for all.
    clientAuthMethods: ['none', 'client_secret_basic', 'client_secret_post'],
    // Whatever signs for the repository now; discovery says the same.
    clientDefaults: { id_token_signed_response_alg: algorithm },
    enabledJWA: { idTokenSigningAlgValues: algorithms, userinfoSigningAlgValues: algorithms },
    // Only the code flow (RFC 9700 §2.1.2), only with PKCE (§2.1.1), and the library takes S256 alone.
    responseTypes: ['code'],
    pkce: { required: () => true },
    scopes: allScopes(repository).split(' '),
    discovery: { ui_locales_supported: languageTags },
    claims: { openid: ['sub'], profile: ['name', 'preferred_username'], email: ['email', 'email_verified'] },
    // Paths that existing clients have built in.
    routes: {
      authorization: '/connect/authorize',
      token: '/connect/token',
      userinfo: '/connect/userinfo',
      end_session: '/connect/endsession',
      introspection: '/connect/introspect',
      revocation: '/connect/revocation',
      jwks: '/.well-known/jwks',
    },
    // One set of cookies per issuer: on a shared host a second sign-in would overwrite the first.
    cookies: { keys: [cookieKey(authority, repository)], long: cookie, short: cookie },
    ttl: {
      ...lives,
      // A rotated refresh token ends when the first of its line would have (RFC 9700 §4.14.2).
      RefreshToken: (ctx) => ctx.oidc.entities.RotatedRefreshToken?.remainingTTL ?? lives.RefreshToken,
      AccessToken: () => row.settings.accessTokenSeconds,
      // The tokens of a member's credential live as the tenant's policy says, which came with the check of the credential.
      ClientCredentials: (ctx) => stateOf(ctx).client?.client?.tokenSeconds ?? row.settings.toolTokenSeconds,
    },
    features: {
      devInteractions: { enabled: false },
      clientCredentials: { enabled: true },
      introspection: {
        enabled: true,
        // A tool may ask about every token of its repository, an app about its own; nobody about one whose client is gone,
        // which the library would look for afterwards and take for granted.
        allowedPolicy: async (_ctx, client, token) =>
          token.clientId === client.clientId ||
          (client.clientAuthMethod !== 'none' && (await issuer.provider.Client.find(token.clientId ?? '')) !== undefined),
      },
      revocation: { enabled: true, allowedPolicy: (_ctx, client, token) => token.clientId === client.clientId },
      rpInitiatedLogout: {
        enabled: true,
        logoutSource: (ctx, form) => signOutPage(ctx, issuer, form),
        postLogoutSuccessSource: (ctx) => signedOutPage(ctx, issuer),
      },
      // Every access token is a JWT for the repository API (RFC 9068), whether or not the request says so (RFC 8707).
      resourceIndicators: {
        enabled: true,
        defaultResource: () => audience,
        useGrantedResource: () => true,
        getResourceServerInfo: (ctx, resource, client) => {
          if (resource !== audience) throw new errors.InvalidTarget();
          // A tool that asks for nothing in particular gets all that it may do (RFC 6749 §3.3).
          if (ctx.oidc.params && ctx.oidc.params.grant_type === 'client_credentials') ctx.oidc.params.scope ??= client.scope;
          return { scope: allScopes(repository), audience, accessTokenFormat: 'jwt', jwt: { sign: { alg: algorithm } } };
        },
      },
    },
    extraParams: {
      // Existing clients name the repository beside the authority that is its own.
      snrepo: (_ctx, value) => {
        if (value && trimSlash(value) !== trimSlash(authority.audienceOf(repository.slug)))
          throw new errors.InvalidRequest('snrepo names another repository');
      },
      // Nobody sends this parameter, but its check is made for every request, after the library has dropped
      // offline_access from those without prompt=consent. A repository's own apps need no consent page, so they may have
      // it for the asking (OpenID Connect Core 1.0 §11, "other conditions").
      offline_access: (ctx) => restoreOfflineAccess(ctx),
    },
    formats: { customizers: { jwt: (ctx, token, jwt) => bindToken(authority, repository, ctx, token as never, jwt as never) } },
    interactions: { policy, url: (_ctx, interaction) => `${pathname === '/' ? '' : pathname}/interaction/${interaction.uid}` },
    findAccount: (_ctx, id) => findAccount(authority, repository, id),
    loadExistingGrant: (ctx) => grantWhatIsAsked(issuer.provider, ctx),
    // Whoever asks for offline_access gets a refresh token; browsers that block third-party cookies renew with it.
    issueRefreshToken: async (_ctx, client, code) => client.grantTypeAllowed('refresh_token') && code.scopes.has('offline_access'),
    rotateRefreshToken: true,
    // Whoever signs out expects everything to end with it, refresh tokens too.
    expiresWithSession: () => true,
    // Pages of the origins that an app is redirected to may call the token and userinfo endpoints.
    clientBasedCORS: (_ctx, origin, client) => (client.redirectUris ?? []).some((uri) => URL.parse(uri)?.origin === origin),
    renderError: (ctx, out) => errorPage(ctx, issuer, out),
  };
}

/** The scopes that a token for this repository's API can have. They include OpenID's, since the same token is for userinfo. */
function allScopes(repository: KnownRepository): string {
  const permissions = repository.slug === consoleSlug ? [...tenantPermissions, ...repositoryPermissions] : repositoryPermissions;
  return [...openidScopes, everythingScope, ...permissions].join(' ');
}

/** Cookies of one issuer are signed with a key that no other issuer has. */
function cookieKey(authority: Authority, repository: KnownRepository): string {
  return createHmac('sha256', authority.encryption.mac('cookies')).update(repository.id).digest('base64url');
}

function restoreOfflineAccess(ctx: KoaContextWithOIDC): void {
  const { client, body } = ctx.oidc;
  const params = ctx.oidc.params as { scope?: string } | undefined;
  const asked = (body ?? ctx.query) as { scope?: string };
  if (!params || !scopesOf(asked).includes('offline_access') || !client?.grantTypeAllowed('refresh_token')) return;
  params.scope = [...new Set([...scopesOf(params), 'offline_access'])].join(' ');
}

function scopesOf({ scope }: { scope?: string }): string[] {
  return typeof scope === 'string' ? scope.split(' ').filter(Boolean) : [];
}

function trimSlash(text: string): string {
  return text.replace(/\/+$/, '');
}

/** Writes into an access token whom it is about and what its life hangs on. */
async function bindToken(
  authority: Authority,
  repository: KnownRepository,
  ctx: KoaContextWithOIDC,
  token: { kind: string; clientId: string; accountId?: string; grantId?: string },
  jwt: { payload: Record<string, unknown> },
): Promise<void> {
  const state = stateOf(ctx);
  if (token.kind === 'ClientCredentials') {
    if (!state.client?.subject || !state.versionId) throw new errors.InvalidClientAuth('the client has no user to act as');
    Object.assign(jwt.payload, boundClaims(state.client, { versionId: state.versionId }), { sub: String(state.client.subject.id) });
    return;
  }
  const answer = await authority.check.ask({
    repositoryId: repository.id,
    clientId: token.clientId,
    userId: Number(token.accountId),
    grantId: token.grantId,
  });
  if (!answer?.repository.alive || !answer.client || !answer.subject?.enabled || !answer.grantAlive || !token.grantId)
    throw new errors.InvalidGrant('the grant has ended');
  Object.assign(jwt.payload, boundClaims(answer, { grantId: token.grantId }));
}

/** The person with this `sub`, if there is one who may sign in. */
async function findAccount(authority: Authority, repository: KnownRepository, id: string) {
  if (!/^[1-9]\d{0,8}$/.test(id)) return undefined;
  const user = await authority.database.read({ repositoryId: repository.id }, (tx) =>
    findUser(tx, { repositoryId: repository.id, id: Number(id) }),
  );
  if (!user?.enabled) return undefined;
  return {
    accountId: id,
    claims: () => ({
      sub: id,
      name: user.name,
      preferred_username: user.loginName,
      ...(user.email ? { email: user.email, email_verified: false } : {}),
    }),
  };
}

/**
 * Whoever was disabled or removed after the library had found their session has no account any more, and the library would go
 * on without. The session is looked for again, and so is gone: what follows is what follows for somebody who has none.
 */
async function forgetEnded(provider: Provider, ctx: KoaContextWithOIDC): Promise<boolean> {
  if (ctx.oidc.session?.accountId === undefined || ctx.oidc.account) return false;
  Object.assign(ctx.oidc, { session: await provider.Session.get(ctx) });
  return true;
}

/** The grant of a person to an app: what the app asks for and may have. */
async function grantWhatIsAsked(provider: Provider, ctx: KoaContextWithOIDC) {
  const { client, session, requestParamScopes, resourceServers = {} } = ctx.oidc;
  if (!client || !session?.accountId) return undefined;
  const grantId = session.grantIdFor(client.clientId);
  const known = grantId === undefined ? undefined : await provider.Grant.find(grantId);
  const grant = known ?? new provider.Grant({ clientId: client.clientId, accountId: session.accountId });
  const scopes = [...requestParamScopes];
  grant.addOIDCScope(scopes.join(' '));
  for (const resource of Object.keys(resourceServers)) grant.addResourceScope(resource, scopes.join(' '));
  await grant.save();
  return grant;
}
