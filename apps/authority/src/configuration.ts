import { createHmac } from 'node:crypto';
import { decodeJwt } from 'jose';
import { errors, interactionPolicy, type Configuration, type KoaContextWithOIDC } from 'oidc-provider';
import { clientKeyAlgorithms } from '@latchkey/contracts';
import { dpopAlgorithms, type KnownRepository, type PrivateJwk } from '@latchkey/credentials';
import type { Repository } from '@latchkey/database';
import type { Authority } from './authority.js';
import { acrValues, refuseLesserProof, stepUpChecks } from './authentication-context.js';
import { acceptAssertion } from './clients.js';
import { deviceCodePath, deviceFlow } from './device-flow.js';
import { bindToken, findAccount, forgetEnded, grantWhatIsAsked } from './grants.js';
import type { Issuer } from './issuer.js';
import { errorPage, signedOutPage, signOutPage } from './pages/library-pages.js';
import { languageTags } from './pages/texts/choose.js';
import { accountClient } from './people/account/client.js';
import { Records, writeGathered } from './records.js';
import { stateOf } from './request-state.js';
import { allScopes, toolTokenSeconds } from './tool-token.js';

/** How long things live, in seconds, of which the repository's settings say nothing. */
const lives = {
  AuthorizationCode: 60,
  DeviceCode: 600,
  IdToken: 3600,
  Interaction: 3600,
};

/** Everything that oidc-provider is told, each with its reason. */
export function configuration(authority: Authority, issuer: Issuer, row: Repository, keys: PrivateJwk[]): Configuration {
  const { repository, url } = issuer;
  const { pathname, protocol } = new URL(url);
  const audience = authority.audienceOf(repository.slug);
  const { accessTokenSeconds, refreshTokenSeconds, sessionSeconds, deviceFlow: byDevice = false } = row.settings;
  // The key that signs comes first.
  const algorithm = (keys[0]?.alg ?? 'ES256') as 'ES256';
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
  // A repository's own apps need nobody's consent; see loadExistingGrant. Who asks for the prompt, as those do who take
  // OpenID Connect Core 1.0 §11 to the letter for offline_access, has it already.
  policy.get('consent')?.checks.clear();
  const ended = new interactionPolicy.Check('account_ended', 'End-User authentication is required', 'login_required', (ctx) =>
    forgetEnded(issuer.provider, ctx),
  );
  const checks = policy.get('login')?.checks;
  checks?.add(ended);
  checks?.remove('essential_acrs');
  checks?.remove('essential_acr');
  for (const check of stepUpChecks(authority, issuer)) checks?.add(check);

  return {
    // Where people look after their own account, which is an app to its issuer.
    clients: [accountClient(url)],
    adapter: (kind: string) => new Records(authority, repository, kind, { deviceFlow: byDevice }, url),
    // The library calls nobody by itself: keys come with the clients, and apps are told of a sign-out by the worker.
    fetch: () => Promise.reject(new Error('the library calls nobody')),
    jwks: { keys: keys as never },
    // No client_secret_jwt: its key would be the placeholder secret, which is the same for all.
    clientAuthMethods: ['none', 'client_secret_basic', 'client_secret_post', 'private_key_jwt'],
    assertJwtClientAuthClaimsAndHeader: async (_ctx, claims, header, client) =>
      acceptAssertion(authority, repository, client.clientId, claims, header),
    // Whatever signs for the repository now; discovery says the same.
    clientDefaults: { id_token_signed_response_alg: algorithm },
    enabledJWA: {
      idTokenSigningAlgValues: [algorithm],
      userinfoSigningAlgValues: [algorithm],
      dPoPSigningAlgValues: dpopAlgorithms as never,
      clientAuthSigningAlgValues: [...clientKeyAlgorithms],
    },
    // Only the code flow (RFC 9700 §2.1.2), only with PKCE (§2.1.1), and the library takes S256 alone.
    responseTypes: ['code'],
    // OpenID Connect Core 1.0 §3.1.2.1 requires it, and what was left out is not guessed at.
    allowOmittingSingleRegisteredRedirectUri: false,
    pkce: { required: () => true },
    scopes: allScopes(repository).split(' '),
    acrValues,
    discovery: { ui_locales_supported: languageTags },
    // How somebody signed in is in every ID token.
    claims: { openid: ['sub', 'acr', 'amr'], profile: ['name', 'preferred_username'], email: ['email', 'email_verified'] },
    // Paths that existing clients have built in.
    routes: {
      authorization: '/connect/authorize',
      token: '/connect/token',
      userinfo: '/connect/userinfo',
      end_session: '/connect/endsession',
      introspection: '/connect/introspect',
      revocation: '/connect/revocation',
      pushed_authorization_request: '/connect/par',
      device_authorization: '/connect/deviceauthorization',
      code_verification: deviceCodePath,
      jwks: '/.well-known/jwks',
    },
    // One set of cookies per issuer: on a shared host a second sign-in would overwrite the first.
    cookies: { keys: cookieKeys(authority, repository), long: cookie, short: cookie },
    ttl: {
      ...lives,
      // From the moment of signing in, however often it is used.
      Session: (_ctx, session) => remaining(session.loginTs, sessionSeconds),
      // A rotated refresh token ends when the first of its line would have (RFC 9700 §4.14.2), or earlier by a new setting.
      RefreshToken: (ctx, token) =>
        Math.min(ctx.oidc.entities.RotatedRefreshToken?.remainingTTL ?? Infinity, remaining(token.iiat, refreshTokenSeconds)),
      // As long as anything that hangs on it.
      Grant: Math.max(sessionSeconds, refreshTokenSeconds, accessTokenSeconds) + lives.AuthorizationCode,
      AccessToken: () => accessTokenSeconds,
      ClientCredentials: (ctx) => toolTokenSeconds(stateOf(ctx).client, row),
    },
    features: {
      devInteractions: { enabled: false },
      clientCredentials: { enabled: true },
      // An app asks for single claims, essential or not (OpenID Connect Core 1.0 §5.5).
      claimsParameter: { enabled: true },
      // Without nonces: what a stolen proof is good for ends with its minute, and it is taken once.
      dPoP: { enabled: true },
      pushedAuthorizationRequests: { enabled: true },
      ...(byDevice ? { deviceFlow: deviceFlow(authority, issuer) } : {}),
      backchannelLogout: { enabled: true },
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
    findAccount: (ctx, id) => findAccount(authority, repository, ctx, id),
    loadExistingGrant: (ctx) => grantWhatIsAsked(issuer.provider, ctx, sessionSeconds),
    // Whoever asks for offline_access gets a refresh token; browsers that block third-party cookies renew with it.
    issueRefreshToken: async (ctx, client, code) => {
      const issues = client.grantTypeAllowed('refresh_token') && code.scopes.has('offline_access');
      // That the code is used up is written with the refresh token, or here.
      if (!issues) await writeGathered(authority, repository, stateOf(ctx));
      return issues;
    },
    // Where two factors have come to be demanded, whoever proved one goes on when they have signed in anew.
    rotateRefreshToken: async (ctx) => {
      await refuseLesserProof(authority, issuer, ctx.oidc.entities.RefreshToken);
      return true;
    },
    // Whoever signs out expects everything to end with it, refresh tokens too.
    expiresWithSession: () => true,
    // Pages of the origins that an app is redirected to may call the token and userinfo endpoints. Where an app has a scheme of
    // its own, `null` is no origin: a page in any sandbox says so.
    clientBasedCORS: (_ctx, origin, client) =>
      origin !== 'null' && (client.redirectUris ?? []).some((uri) => URL.parse(uri)?.origin === origin),
    renderError: (ctx, out) => errorPage(ctx, issuer, out),
  };
}

/** Seconds that are left of a life that began then (seconds since the epoch); all of them if it is only beginning. */
function remaining(began: number | undefined, seconds: number): number {
  return began === undefined ? seconds : Math.max(1, began + seconds - Math.floor(Date.now() / 1000));
}

/**
 * Cookies of one issuer are signed with a key that no other issuer has. The first signs; the others still verify, so that
 * nobody is signed out when the key-encryption key is replaced.
 */
function cookieKeys({ encryption }: Authority, repository: KnownRepository): string[] {
  return encryption.ids.map((id) => createHmac('sha256', encryption.mac('cookies', id)).update(repository.id).digest('base64url'));
}

function restoreOfflineAccess(ctx: KoaContextWithOIDC): void {
  const { client, body, entities } = ctx.oidc;
  const params = ctx.oidc.params as { scope?: string } | undefined;
  // Of a pushed request what was pushed counts, and nothing that is beside its name (RFC 9126 §4).
  const pushed = entities.PushedAuthorizationRequest;
  const asked = (pushed ? decodeJwt(pushed.request) : (body ?? ctx.query)) as { scope?: string };
  if (!params || !scopesOf(asked).includes('offline_access') || !client?.grantTypeAllowed('refresh_token')) return;
  params.scope = [...new Set([...scopesOf(params), 'offline_access'])].join(' ');
}

function scopesOf({ scope }: { scope?: string }): string[] {
  return typeof scope === 'string' ? scope.split(' ').filter(Boolean) : [];
}

function trimSlash(text: string): string {
  return text.replace(/\/+$/, '');
}
