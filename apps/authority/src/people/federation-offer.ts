import type { SignedIn } from '@latchkey/credentials';
import { IdentityLinks } from '@latchkey/tenancy';
import type { FederationOffer } from '../pages/federation.js';
import { recall, take } from './federation-memory.js';
import type { Visit } from './visit.js';

/* What signing in here has to do with signing in with others: the offer before it, and what it completes. */

/** What the sign-in page of this request says of other ways, and of somebody who has come back from one. */
export async function offerFederation(visit: Visit, uid: string): Promise<FederationOffer> {
  const below = visit.path(`/interaction/${uid}/federation`);
  const providers = visit.issuer.identityProviders.map(({ id, name }) => ({ name, href: `${below}/${id}` }));
  const identity = await recall(visit, 'identity', uid);
  if (!identity?.connect) return { providers };
  return { providers: [], connecting: { provider: identity.providerName, email: identity.email ?? '', without: below } };
}

/**
 * What remains to be done for somebody who has proved all that is asked of them: connects them with who they are at a
 * provider, if that is why they signed in.
 *
 * @returns the provider with whom they came, to which their session is to be bound, if they did not sign in here; nothing when
 * they took too long.
 */
export async function finishFederation(
  visit: Visit,
  uid: string,
  person: SignedIn,
  amr: string[],
): Promise<{ identityProviderId?: string } | undefined> {
  const identity = await take(visit, 'identity', uid);
  const isSame = identity?.userId === person.userId;
  if (amr.includes('fed')) return isSame && !identity.connect ? { identityProviderId: identity.providerId } : undefined;
  if (isSame && identity.connect)
    await new IdentityLinks(visit.authority.database, visit.issuer.repository).connect(identity, person.userId, visit.call);
  return {};
}
