import Provider, { errors, type KoaContextWithOIDC } from 'oidc-provider';
import { tellOfEnd, type KnownRepository } from '@latchkey/credentials';
import { isNoText, isUnavailable } from '@latchkey/database';
import { shortestPassword } from '@latchkey/contracts';
import type { Authority } from './authority.js';
import { compareSecret } from './clients.js';
import { configuration } from './configuration.js';
import { beginWithTheCode } from './device-flow.js';
import { getForPost } from './get-for-post.js';
import type { Issuer } from './issuer.js';
import type { IssuerSettings } from './issuer-settings.js';
import { brandOf } from './pages/brand.js';
import { leadOn, nowherePage } from './pages/library-pages.js';
import { writeGathered } from './records.js';
import { recordRefusedCall } from './refused.js';
import { stateOf } from './request-state.js';
import { ageHeaders } from './secret-age.js';

/** The library's own pages send themselves on by a script, whose hash it adds here; ours replace the whole header. */
export const contentSecurityPolicy = `default-src 'none'; script-src 'report-sample'; base-uri 'none'; frame-ancestors 'none'`;

/** Builds the issuer of a repository at one of its addresses, from one version of its settings. */
export function createIssuer(
  authority: Authority,
  repository: KnownRepository,
  url: string,
  { row, identityProviders, keys }: IssuerSettings,
): Issuer {
  const issuer: Issuer = {
    repository,
    name: row.name,
    brand: brandOf(row.settings.branding, url),
    identityProviders,
    url,
    secondFactor: row.settings.secondFactor ?? 'optional',
    shortestPassword: shortestPassword(row.settings),
    newDeviceMails: row.settings.newDeviceMails ?? true,
    provider: undefined as never,
  };
  const provider = new Provider(url, configuration(authority, issuer, row, keys));
  issuer.provider = provider;

  // Our server has settled host and scheme before the library sees a request (see server.ts).
  provider.proxy = true;
  provider.Client.prototype.compareClientSecret = function (this: { clientId: string }, presented: string) {
    return compareSecret(authority, repository, this.clientId, presented);
  };
  // The library calls a grant that the client may not use an invalid request; RFC 6749 §5.2 has a word for it.
  const { grantTypeAllowed } = provider.Client.prototype;
  provider.Client.prototype.grantTypeAllowed = function (this: InstanceType<typeof provider.Client>, type: string) {
    const allowed = grantTypeAllowed.call(this, type);
    const asked = Provider.ctx?.oidc;
    if (!allowed && asked?.route === 'token' && asked.params?.['grant_type'] === type)
      throw new errors.UnauthorizedClient('requested grant type is not allowed for this client');
    return allowed;
  };
  // Whoever signs out does not wait for apps to be told; the worker goes on until they are.
  provider.Client.prototype.backchannelLogout = async function (this: { clientId: string }, sub: string, sid: string) {
    const ended = { userId: Number(sub), payload: { issuer: url, authorizations: { [this.clientId]: { sid } } } };
    const { id: repositoryId, tenantId } = repository;
    await authority.database.transaction({ tenantId, repositoryId }, (tx) => tellOfEnd(tx, repository, [ended]));
  };
  provider.on('backchannel.error', (_ctx: KoaContextWithOIDC, error: Error, client: { clientId: string }) => {
    authority.log.error({ err: error, repository: repository.slug, client: client.clientId }, 'an app will not be told of a sign-out');
  });
  provider.on('server_error', (ctx: KoaContextWithOIDC, error: Error) => {
    if (isNoFault(error)) stateOf(ctx).failed = error;
    else authority.log.error({ err: error, repository: repository.slug }, 'the authority failed');
  });
  const refused = (ctx: KoaContextWithOIDC, error: Error) => recordRefusedCall(authority, repository, ctx.req, error);
  provider.on('grant.error', refused).on('introspection.error', refused).on('revocation.error', refused).on('userinfo.error', refused);
  provider.use(async (ctx, next) => {
    ctx.set('content-security-policy', contentSecurityPolicy);
    if (await getForPost(ctx, issuer)) return;
    const state = stateOf(ctx as KoaContextWithOIDC);
    const failed = (error: unknown) => {
      if (!isNoFault(error)) throw error;
      state.failed = error;
    };
    // It stores the session last, when it catches nothing any more.
    await beginWithTheCode(ctx, issuer, next).catch(failed);
    // What is left was gathered for an answer that has become a refusal: nothing can make that any worse.
    await writeGathered(authority, repository, state).catch((error: unknown) => {
      if (ctx.status < 400 || isNoFault(error)) failed(error);
    });
    leadOn(ctx, issuer);
    nowherePage(ctx, issuer);
    if (state.failed !== undefined) leaveToServer(ctx);
    else ctx.set(ageHeaders(state));
  });
  return issuer;
}

/** The library calls whatever its storage throws a server error; that the database is away, or that a text is none, is not one. */
const isNoFault = (error: unknown) => isUnavailable(error) || isNoText(error);

/** What the answer would have been is not stored, and the server says why. */
function leaveToServer(ctx: { remove: (header: string) => void; body?: unknown; respond?: boolean }): void {
  for (const header of ['Location', 'Set-Cookie']) ctx.remove(header);
  ctx.body = null;
  ctx.respond = false;
}
