import { createHash, randomBytes } from 'node:crypto';
import type { ClientMetadata } from 'oidc-provider';

/** The page of a person's own account, as an app of the issuer: people come to it by the same sign-in as to any other. */
export const accountClientId = 'account';

/**
 * Only the session that the sign-in makes is wanted. The code that comes back with it is thrown away: it is bound to a
 * verifier that nobody has (see `signInRequest`), and no token is given for a client that is not in the database.
 */
export function accountClient(issuerUrl: string): ClientMetadata {
  return {
    client_id: accountClientId,
    client_name: 'Account',
    application_type: 'web',
    token_endpoint_auth_method: 'none',
    grant_types: ['authorization_code'],
    response_types: ['code'],
    redirect_uris: [`${issuerUrl}/account`],
    scope: 'openid',
  };
}

/** Where a person signs in for the page of their account, below the issuer. @param again even if they are signed in. */
export function signInRequest(issuerUrl: string, { again, languages }: { again: boolean; languages: string | null }): string {
  const parameters = new URLSearchParams({
    client_id: accountClientId,
    redirect_uri: `${issuerUrl}/account`,
    response_type: 'code',
    scope: 'openid',
    code_challenge: createHash('sha256').update(randomBytes(32)).digest('base64url'),
    code_challenge_method: 'S256',
    ...(again ? { prompt: 'login' } : {}),
    ...(languages ? { ui_locales: languages } : {}),
  });
  return `/connect/authorize?${parameters.toString()}`;
}
