import { everythingScope, repositoryPermissions, tenantPermissions } from '@latchkey/contracts';
import { boundClaims, type Answer, type KnownRepository } from '@latchkey/credentials';
import type { Repository } from '@latchkey/database';
import { consoleSlug } from '@latchkey/tenancy';

/*
 * What is in the token of a tool: the rules that oidc-provider is told and that the express lane keeps.
 */

/** OpenID scopes that every app client may ask for. */
export const openidScopes = ['openid', 'profile', 'email', 'offline_access'];

/** The scopes that a token for this repository's API can have. They include OpenID's, since the same token is for userinfo. */
export function allScopes(repository: KnownRepository): string {
  const permissions = repository.slug === consoleSlug ? [...tenantPermissions, ...repositoryPermissions] : repositoryPermissions;
  return [...openidScopes, everythingScope, ...permissions].join(' ');
}

/** The scopes that a tool client may ask for; it gets them all when it asks for none (RFC 6749 §3.3). */
export function toolScopes({ permissions }: { permissions: string[] }): string[] {
  return [everythingScope, ...permissions];
}

/** How long a tool's token lives. That of a member's credential does as the tenant's policy says, which came with the check. */
export function toolTokenSeconds(answer: Answer | undefined, { settings }: Repository): number {
  return answer?.client?.details?.tokenSeconds ?? settings.toolTokenSeconds;
}

/** Whom a tool's token is about, and what its life hangs on; nothing if the client has no user to act as. */
export function toolClaims(answer: Answer, versionId: string): Record<string, unknown> | undefined {
  if (!answer.subject) return undefined;
  return { ...boundClaims(answer, { versionId }), sub: String(answer.subject.id) };
}
