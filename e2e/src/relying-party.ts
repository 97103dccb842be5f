import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
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
  const server: Server = createServer(
    (_request, response) => void response.writeHead(200, { 'content-type': 'text/html' }).end('<title>app</title>back in the app'),
  );
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
  const origin = `http://localhost:${(server.address() as AddressInfo).port}`;
  return {
    redirectUri: `${origin}/callback`,
    postLogoutUri: `${origin}/bye`,
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
