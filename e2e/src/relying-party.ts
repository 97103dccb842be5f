import { readFile } from 'node:fs/promises';
import { createServer, type RequestListener } from 'node:http';
import { createRequire } from 'node:module';
import type { AddressInfo } from 'node:net';
import { pathToFileURL } from 'node:url';
import type { Page } from 'playwright-core';
import * as client from 'openid-client';

/** An app of a customer's, as `openid-client` makes one, with a page that people are sent back to. */
export interface RelyingParty {
  redirectUri: string;
  postLogoutUri: string;
  close: () => Promise<void>;
}

/** Listens for people who come back from the authority. */
export async function openRelyingParty(): Promise<RelyingParty> {
  const { origin, close } = await openSite(
    (_request, response) => void response.writeHead(200, { 'content-type': 'text/html' }).end('<title>app</title>back in the app'),
  );
  return { redirectUri: `${origin}/callback`, postLogoutUri: `${origin}/bye`, close };
}

/** Something at an origin of its own. */
export interface Site {
  origin: string;
  close: () => Promise<void>;
}

/** An app that is nothing but pages, with oidc-client-ts as published; at `/silent` its hidden frame ends. */
export async function openSinglePageApp(): Promise<Site> {
  const umd = pathToFileURL(createRequire(import.meta.url).resolve('oidc-client-ts'));
  const library = await readFile(new URL('../browser/oidc-client-ts.min.js', umd), 'utf8');
  return openSite((request, response) => {
    if (request.url === '/oidc.js') return void response.writeHead(200, { 'content-type': 'text/javascript' }).end(library);
    const silent = request.url?.startsWith('/silent') ? '<script>new oidc.UserManager({}).signinSilentCallback()</script>' : '';
    response.writeHead(200, { 'content-type': 'text/html' }).end(`<title>app</title><script src="/oidc.js"></script>${silent}`);
  });
}

/** An app that sends everybody who comes back to it on to another origin at once. */
export function openPassingOn(target: string): Promise<Site> {
  return openSite((request, response) => void response.writeHead(302, { location: `${target}${request.url ?? ''}` }).end());
}

/** Where an app is told that a session has ended. @returns the first logout token that comes. */
export async function openLogoutReceiver(): Promise<Site & { token: Promise<string> }> {
  const { promise: token, resolve } = Promise.withResolvers<string>();
  const site = await openSite((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      resolve(new URLSearchParams(Buffer.concat(chunks).toString()).get('logout_token') ?? '');
      response.writeHead(204).end();
    });
  });
  return { ...site, token };
}

async function openSite(listener: RequestListener): Promise<Site> {
  const server = createServer(listener);
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
  return {
    origin: `http://localhost:${(server.address() as AddressInfo).port}`,
    close: () => {
      server.closeAllConnections();
      return new Promise((resolve) => void server.close(() => resolve()));
    },
  };
}

/** Discovers a repository's authority for a client, as published (plain http, since everything is on this machine). */
export async function discover(authorityUrl: string, clientId: string, auth?: client.ClientAuth): Promise<client.Configuration> {
  return client.discovery(new URL(authorityUrl), clientId, undefined, auth ?? client.None(), { execute: [client.allowInsecureRequests] });
}

/** Sends the browser to sign in; whatever happens on the way is up to `atTheAuthority`. @returns the tokens. */
export async function authorizeWithCode(
  configuration: client.Configuration,
  page: Page,
  app: RelyingParty,
  {
    scope = 'openid profile email offline_access sensenet',
    parameters = {} as Record<string, string>,
    atTheAuthority = async (_page: Page) => {},
  } = {},
) {
  const verifier = client.randomPKCECodeVerifier();
  const state = client.randomState();
  const nonce = client.randomNonce();
  const url = client.buildAuthorizationUrl(configuration, {
    redirect_uri: app.redirectUri,
    scope,
    state,
    nonce,
    code_challenge: await client.calculatePKCECodeChallenge(verifier),
    code_challenge_method: 'S256',
    ...parameters,
  });
  await page.goto(url.href);
  await atTheAuthority(page);
  await page.waitForURL(`${app.redirectUri}?*`);
  return client.authorizationCodeGrant(configuration, new URL(page.url()), {
    pkceCodeVerifier: verifier,
    expectedState: state,
    expectedNonce: nonce,
  });
}
