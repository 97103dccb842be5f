import Provider from 'oidc-provider';

/** What a presented access token is prefixed with so that the library does not refuse it for being a JWT. */
const mark = 'jwt:';

/**
 * The library refuses to introspect or revoke structured tokens, because it could not find them; `Records` can. So once it
 * has read the parameters of such a request and looks for the client, the token is marked, and no longer looks like a JWT.
 */
export function markPresentedToken(): void {
  const oidc = Provider.ctx?.oidc;
  if (oidc?.route !== 'introspection' && oidc?.route !== 'revocation') return;
  // One that was sent twice is a list, which the library refuses next.
  const params = oidc.params as { token?: string | string[] } | undefined;
  if (typeof params?.token === 'string' && params.token.startsWith('eyJ')) params.token = `${mark}${params.token}`;
}

/** The token as it was presented. */
export function unmark(presented: string): string {
  return presented.startsWith(mark) ? presented.slice(mark.length) : presented;
}
