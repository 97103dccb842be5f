import { randomBytes, sign } from 'node:crypto';
import type { IncomingMessage, OutgoingHttpHeaders, ServerResponse } from 'node:http';
import accepts from 'accepts';
import { matchSecret, type Answer, type KnownRepository } from '@latchkey/credentials';
import type { Authority } from './authority.js';
import { recordUse, refusedAsReplaced, type Replaced } from './clients.js';
import { contentSecurityPolicy } from './create-issuer.js';
import type { IssuerPool } from './issuer-pool.js';
import { signerOf, type IssuerSettings } from './issuer-settings.js';
import { readPlainTokenRequest, type PlainTokenRequest } from './plain-token-request.js';
import { recordRefusedCall } from './refused.js';
import { stateOfRequest } from './request-state.js';
import { ageHeaders } from './secret-age.js';
import { allScopes, toolClaims, toolScopes, toolTokenSeconds } from './tool-token.js';

/**
 * Answers the token request that nearly all are: a tool's plain `client_credentials` with a right secret (RFC 6749 §4.4). One
 * gathered check, one signature, and what oidc-provider would have answered. So it does with a secret that was replaced, since
 * whoever has not heard of a regeneration goes on presenting the old one, as often as the right one before.
 *
 * Everything else it leaves alone, body included, and oidc-provider answers: other grants, what is malformed or unusual, and
 * all other refusals. So it needs no rule of its own: what decides about a token stands in `clients.ts`, `tool-token.ts` and
 * `secret-age.ts`, for both. A test sends both the same thousands of requests and compares.
 */
export class ExpressLane {
  readonly #authority: Authority;
  readonly #pool: IssuerPool;

  constructor(authority: Authority, pool: IssuerPool) {
    this.#authority = authority;
    this.#pool = pool;
  }

  /**
   * @param path below the repository's address, with its query.
   * @returns false when it left the request alone.
   * @throws the driver's error when the primary cannot be asked.
   */
  async serve(slug: string, path: string, request: IncomingMessage, response: ServerResponse): Promise<boolean> {
    if (path !== '/connect/token' || request.method !== 'POST') return false;
    const asked = await readPlainTokenRequest(request);
    const repository = asked && (await this.#authority.directory.find(slug));
    if (!repository) return false;
    const answer = await this.#authority.check.ask({ repositoryId: repository.id, clientId: asked.clientId, withSecrets: true });
    const reply = answer && (await this.#reply(repository, answer, asked, request));
    if (!reply) {
      stateOfRequest(request).named = { repositoryId: repository.id, clientId: asked.clientId, answer };
      return false;
    }
    const body = JSON.stringify(reply.body);
    response.writeHead(reply.status, { ...usualHeaders, 'content-length': Buffer.byteLength(body), ...reply.headers }).end(body);
    // Its body has been looked at and not taken.
    request.resume();
    return true;
  }

  /** A token for a right secret, the refusal of a replaced one, or nothing, which leaves the request to oidc-provider. */
  async #reply(
    repository: KnownRepository,
    answer: Answer,
    asked: PlainTokenRequest,
    request: IncomingMessage,
  ): Promise<Reply | undefined> {
    const { client, subject } = answer;
    if (!answer.repository.alive || !client || client.kind === 'app' || !subject?.enabled) return undefined;
    const address = this.#authority.addressOf(request);
    if (await this.#authority.guessing.isGuesser({ repositoryId: repository.id, clientId: client.id, address })) return undefined;
    const match = matchSecret(this.#authority.peppers, repository.environment, answer.secrets ?? [], asked.secret);
    if (match.outcome === 'replaced') return this.#refuse(repository, answer, match, request);
    const claims = match.outcome === 'live' ? toolClaims(answer, match.versionId) : undefined;
    const scope = grantedScope(repository, client, asked.scope);
    if (match.outcome !== 'live' || !claims || scope === undefined) return undefined;
    const settings = await this.#pool.settings(repository, answer.repository.settingsVersion);
    const seconds = toolTokenSeconds(answer, settings.row);
    const accessToken = this.#sign(repository, settings, { ...claims, scope, client_id: client.id }, seconds);
    if (accessToken === undefined) return undefined;
    recordUse(this.#authority, repository, client.id, match, request);
    return {
      status: 200,
      headers: ageHeaders({ client: answer, versionId: match.versionId }),
      body: { access_token: accessToken, expires_in: seconds, token_type: 'Bearer', scope },
    };
  }

  /** The refusal of RFC 6749 §5.2, or nothing to whoever would rather have a page, which is the library's. */
  #refuse(repository: KnownRepository, answer: Answer, match: Replaced, request: IncomingMessage): Reply | undefined {
    const { client } = answer;
    if (!client || accepts(request).type(['json', 'html']) === 'html') return undefined;
    const refusal = refusedAsReplaced(match);
    const { error, error_description } = refusal;
    stateOfRequest(request).client = answer;
    recordUse(this.#authority, repository, client.id, match, request);
    recordRefusedCall(this.#authority, repository, request, refusal);
    const issuer = this.#authority.addresses.of(repository.slug);
    const challenge = `Basic realm="${issuer}", error="${error}", error_description="${error_description}"`;
    return {
      status: refusal.statusCode,
      headers: request.headers.authorization === undefined ? {} : { 'www-authenticate': challenge },
      body: { error, error_description },
    };
  }

  /** An access token as RFC 9068 §2 has it. */
  #sign(repository: KnownRepository, settings: IssuerSettings, claims: object, seconds: number): string | undefined {
    const signer = signerOf(settings);
    if (!signer) return undefined;
    const now = Math.floor(Date.now() / 1000);
    const payload = {
      ...claims,
      jti: randomBytes(32).toString('base64url'),
      iat: now,
      exp: now + seconds,
      iss: this.#authority.addresses.of(repository.slug),
      aud: this.#authority.audienceOf(repository.slug),
    };
    const signed = `${signer.header}.${Buffer.from(JSON.stringify(payload)).toString('base64url')}`;
    const signature = sign('sha256', Buffer.from(signed), { key: signer.key, dsaEncoding: 'ieee-p1363' });
    return `${signed}.${signature.toString('base64url')}`;
  }
}

interface Reply {
  status: number;
  headers: OutgoingHttpHeaders;
  body: object;
}

/** Of every answer (RFC 6749 §5.1). What is about other origins is said to all, as they may ask too. */
const usualHeaders = {
  'content-type': 'application/json; charset=utf-8',
  'cache-control': 'no-store',
  'content-security-policy': contentSecurityPolicy,
  vary: 'Origin',
  'access-control-allow-origin': '*',
  'access-control-expose-headers': 'WWW-Authenticate',
};

/** What the token may do: all that the client may, or what was asked for; nothing when that is more. */
function grantedScope(repository: KnownRepository, client: { permissions: string[] }, asked: string | undefined): string | undefined {
  const known = new Set(allScopes(repository).split(' '));
  const allowed = toolScopes(client).filter((scope) => known.has(scope));
  if (asked === undefined) return allowed.join(' ');
  const scopes = [...new Set(asked.split(' '))];
  return scopes.every((scope) => allowed.includes(scope)) ? scopes.join(' ') : undefined;
}
