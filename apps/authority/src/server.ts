import { createServer, type IncomingMessage, type RequestListener, type Server, type ServerResponse } from 'node:http';
import { passwordLengths, Problem } from '@latchkey/contracts';
import { isNoText, isUnavailable } from '@latchkey/database';
import { domainOfHost, keepAliveMillis, readiness } from '@latchkey/runtime';
import type { Authority } from './authority.js';
import { callOf } from './call.js';
import { ExpressLane } from './express-lane.js';
import { IssuerPool } from './issuer-pool.js';
import type { Issuer } from './issuer.js';
import { noBrand } from './pages/brand.js';
import { pageHeaders, readsPages } from './pages/headers.js';
import { messagePage } from './pages/message.js';
import { secretPaths, servePages } from './people/serve-pages.js';
import { lookOf } from './people/visit.js';
import { stateOfRequest } from './request-state.js';

/**
 * Answers every request of this process: health, and whatever lies below the address of a repository.
 *
 * @param options.expressLane false to have oidc-provider answer every request for a token, as the tests of the lane do.
 */
export function createListener(authority: Authority, { expressLane = true } = {}): RequestListener {
  const pool = new IssuerPool(authority);
  const lane = expressLane ? new ExpressLane(authority, pool) : undefined;
  return (request, response) => {
    const began = performance.now();
    const [path] = (request.url ?? '/').split('?');
    const { requestId } = callOf(authority, request);
    response.setHeader('x-request-id', requestId);
    response.on('finish', () => {
      // The query may hold codes and hints, and an invitation's path its token.
      const shown = path?.replace(secretPaths, '/$1/[secret]');
      authority.log.info(
        { requestId, method: request.method, path: shown, status: response.statusCode, ms: Math.round(performance.now() - began) },
        'request',
      );
    });
    serve(authority, pool, lane, request, response).catch((error: unknown) => fail(authority, request, response, error));
  };
}

async function serve(
  authority: Authority,
  pool: IssuerPool,
  lane: ExpressLane | undefined,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  if (request.url === '/healthz') return sendJson(response, 200, { status: 'ok' });
  if (request.url === '/readyz') {
    const state = await readiness({ database: () => authority.database.ping() });
    return sendJson(response, state.ready ? 200 : 503, state);
  }
  if (request.url?.startsWith(`${mayHaveCertificate}?`)) return answerForCertificate(authority, request, response);
  request.url = request.url?.replace(metadataInFront, '$2$1$3');
  const found = await findAddress(authority, request);
  // The lane writes the repository's own address into tokens.
  if (found && !found.issuer && (await lane?.serve(found.slug, found.rest, request, response))) return undefined;
  const issuer = found && (await pool.find(found.slug, found.rest, request, found.issuer));
  if (!issuer) return refuse(request, response, 404, 'not_found', 'There is no active repository at this address.');

  settleAddress(issuer, request);
  const [path = '/'] = found.rest.split('?');
  if (await servePages(authority, issuer, path, request, response)) return undefined;
  // The library serves the issuer from the root and learns from originalUrl what was in front of it.
  Object.assign(request, { originalUrl: request.url });
  request.url = found.rest;
  await issuer.provider.callback()(request, response);
  const { failed } = stateOfRequest(request);
  if (failed !== undefined) throw failed;
}

/** Where RFC 8414 §3.1 has the metadata of an issuer with a path: between its host and that, and not below it. */
const metadataInFront = /^(\/\.well-known\/oauth-authorization-server)(\/[^?]+)(\?.*)?$/;

/** Asked by a proxy that gets certificates as they are needed. */
const mayHaveCertificate = '/tls-allowed';

/** 200 for a domain at which a repository answers: a proxy that asks gets certificates for no other (Caddy's `ask`). */
async function answerForCertificate(authority: Authority, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const domain = domainOfHost(new URLSearchParams(request.url?.split('?')[1]).get('domain') ?? '');
  const isOurs = domain !== undefined && (await authority.directory.findByDomain(domain)) !== undefined;
  return sendJson(response, isOurs ? 200 : 404, { allowed: isOurs });
}

/**
 * Which repository a request is for. A host that can be somebody's domain is looked up as such first: at a domain the whole path
 * is the issuer's. The repository's own address goes on working beside it.
 */
async function findAddress(
  { addresses, directory, domains }: Authority,
  { headers: { host }, url = '/' }: IncomingMessage,
): Promise<{ slug: string; rest: string; issuer?: string } | undefined> {
  const domain = addresses.isHost(host) ? undefined : domainOfHost(host);
  const slug = domain === undefined ? undefined : await directory.findByDomain(domain);
  if (domain === undefined || slug === undefined) return addresses.find(host, url);
  return { slug, rest: url.startsWith('/') ? url : `/${url}`, issuer: domains.of(domain) };
}

/**
 * The library builds addresses from the request's host and scheme. Whatever a stranger writes there, and whatever a proxy
 * made of it, the issuer has one address.
 */
function settleAddress(issuer: Issuer, request: IncomingMessage): void {
  const { host, protocol } = new URL(issuer.url);
  request.headers.host = host;
  request.headers['x-forwarded-proto'] = protocol.slice(0, -1);
  delete request.headers['x-forwarded-host'];
}

function fail(authority: Authority, request: IncomingMessage, response: ServerResponse, error: unknown): void {
  if (error instanceof Problem) return refuse(request, response, error.status, 'invalid_request', error.message);
  if (isNoText(error)) return refuse(request, response, 400, 'invalid_request', 'A text holds the character U+0000, which none may.');
  if (isUnavailable(error)) {
    authority.log.error({ err: error }, 'the database cannot be reached');
    return refuse(request, response, 503, 'temporarily_unavailable', 'The authority cannot check credentials now. Try again in a moment.');
  }
  authority.log.error({ err: error }, 'a request failed');
  return refuse(request, response, 500, 'server_error', 'Something went wrong on our side.');
}

/** As a page for people and as an OAuth error (RFC 6749 §5.2) for everything else. */
function refuse(request: IncomingMessage, response: ServerResponse, status: number, error: string, description: string): void {
  if (response.headersSent) return void response.destroy();
  if (status === 503) response.setHeader('retry-after', '1');
  if (readsPages(request)) return void response.writeHead(status, pageHeaders(noBrand)).end(refusal(request, status, description));
  return sendJson(response, status, { error, error_description: description });
}

/** For people, in their language where it is about more than a form that no page of ours sends. */
function refusal(request: IncomingMessage, status: number, description: string): string {
  const look = lookOf({ name: 'Latchkey', brand: noBrand, shortestPassword: passwordLengths.alone }, request);
  const { title, noRepository, unavailable, failed } = look.language.texts.problem;
  return messagePage(look, { title, text: { 404: noRepository, 500: failed, 503: unavailable }[status] ?? description });
}

function sendJson(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json; charset=utf-8', 'cache-control': 'no-store' }).end(JSON.stringify(body));
}

/** Listens on the shared port and, if it has one, on the process's own. */
export async function listen(
  listener: RequestListener,
  { host, port, reusePort, nodePort }: { host: string; port: number; reusePort: boolean; nodePort: number | undefined },
): Promise<Server[]> {
  const open = (options: { host: string; port: number; reusePort?: boolean }) =>
    new Promise<Server>((resolve, reject) => {
      const server = createServer({ keepAliveTimeout: keepAliveMillis }, listener);
      server.once('error', reject);
      server.listen(options, () => resolve(server));
    });
  return Promise.all([open({ host, port, reusePort }), ...(nodePort === undefined ? [] : [open({ host, port: nodePort })])]);
}

/** Takes no more requests and resolves when those under way are answered. */
export async function closeAll(servers: Server[]): Promise<void> {
  await Promise.all(
    servers.map(
      (server) =>
        new Promise<void>((resolve) => {
          server.close(() => resolve());
          server.closeIdleConnections();
        }),
    ),
  );
}
