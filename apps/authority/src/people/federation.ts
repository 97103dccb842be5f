import { randomBytes } from 'node:crypto';
import { IdentityLinks, federationCallbackPath, type LinkedUser } from '@latchkey/tenancy';
import type { IdentityProvider } from '@latchkey/database';
import { ProviderFault, type OutsideIdentity, type OutsideProvider } from '../federation/outside-provider.js';
import { onwardPage } from '../pages/onward.js';
import { refusedSignIn } from '../refused.js';
import { forget, remember, take } from './federation-memory.js';
import { completeSignIn } from './second-factor.js';
import type { Visit } from './visit.js';
import { waitingApp } from './waiting-app.js';

/*
 * Signing in with others. Somebody is sent to a provider and comes back with proof of who they are there; whether that is a
 * user here, is to become one, or is to be connected with one is decided in this file.
 */

/** Sends somebody to a provider: `/interaction/<uid>/federation/<provider>`. */
export async function serveFederationStart(visit: Visit, uid: string, providerId: string): Promise<void> {
  const { authority, issuer } = visit;
  if (!(await waitingApp(visit, uid))) return visit.say(400, visit.texts.problem.startAgain);
  const provider = await authority.federation.find(issuer.repository.id, providerId);
  if (!provider) return visit.say(404, gone(visit, uid));
  const errand = { state: secret(), nonce: secret(), codeVerifier: secret() };
  const { params } = await issuer.provider.interactionDetails(visit.request, visit.response);
  const { prompt, max_age: maxAge } = params as { prompt?: string; max_age?: unknown };
  // `auth_time` says now, so whoever asks for a sign-in of a certain age gets none that the provider remembers from before.
  const again = maxAge !== undefined || (prompt?.split(' ').includes('login') ?? false);
  try {
    const url = await provider.outside.begin(errand, redirectUri(visit, providerId), { again });
    await remember(visit, 'errand', uid, { providerId, ...errand });
    redirect(visit, url.href);
  } catch (error) {
    explain(visit, uid, provider.settings, error);
  }
}

/** Says that a page of ours has sent somebody on. The provider may have sent them here from a form (see onward.tsx). */
const arrived = 'arrived';

/** Takes somebody back from a provider: `/federation/callback/<provider>`. */
export async function serveFederationCallback(visit: Visit, providerId: string): Promise<void> {
  const { authority, issuer, request, response } = visit;
  if (!visit.query.has(arrived))
    return visit.send(200, onwardPage(visit.look, `${redirectUri(visit, providerId)}?${visit.query.toString()}&${arrived}=yes`));
  const details = await issuer.provider.interactionDetails(request, response).catch(() => undefined);
  const uid = details?.uid ?? '';
  if (!details || !(await waitingApp(visit, uid))) return visit.say(400, visit.texts.problem.startAgain);
  // Once: whatever comes back a second time was not asked for.
  const errand = await take(visit, 'errand', uid);
  const provider = await authority.federation.find(issuer.repository.id, providerId);
  if (!errand || errand.providerId !== providerId || !provider) return visit.say(400, visit.texts.problem.startAgain);
  const answer = new URL(redirectUri(visit, providerId));
  answer.search = visit.query.toString();
  answer.searchParams.delete(arrived);
  const identity = await whoCame(visit, uid, provider, () => provider.outside.finish(errand, answer));
  return identity ? admit(visit, uid, provider.settings, identity) : undefined;
}

/** Signs in here without connecting: `/interaction/<uid>/federation`. */
export async function serveFederationEnd(visit: Visit, uid: string): Promise<void> {
  if (!(await waitingApp(visit, uid))) return visit.say(400, visit.texts.problem.startAgain);
  await forget(visit, 'identity', uid);
  redirect(visit, visit.path(`/interaction/${uid}`));
}

async function admit(visit: Visit, uid: string, provider: IdentityProvider, identity: OutsideIdentity): Promise<void> {
  const { providerId, subject } = { providerId: provider.id, subject: identity.subject };
  const noted = { providerId, providerName: provider.name, subject, email: identity.verifiedEmail };
  const linked = await links(visit).find(providerId, subject);
  if (linked) return enter(visit, uid, provider, noted, linked);
  const { verifiedEmail: email } = identity;
  if (email === undefined) return refuse(visit, uid, provider, 'noAddress');
  const namesake = await links(visit).findByEmail(email);
  if (namesake) {
    // Proof of who they are there is none of who they are here: they sign in as that user, once.
    await remember(visit, 'identity', uid, { ...noted, userId: namesake.userId, connect: true });
    return redirect(visit, visit.path(`/interaction/${uid}`));
  }
  if (!provider.allowSignUp) return refuse(visit, uid, provider, 'unknown');
  if (provider.emailDomains.length > 0 && !provider.emailDomains.includes(email.toLowerCase().split('@').at(-1) ?? ''))
    return refuse(visit, uid, provider, 'otherDomain');
  const made = await links(visit).signUp(
    { providerId, subject },
    { email, name: identity.name, loginName: identity.loginName },
    visit.call,
  );
  return made ? enter(visit, uid, provider, noted, made) : refuse(visit, uid, provider, 'unknown');
}

async function enter(
  visit: Visit,
  uid: string,
  provider: IdentityProvider,
  noted: { providerId: string; providerName: string; subject: string; email: string | undefined },
  user: LinkedUser,
): Promise<void> {
  if (!user.enabled) return refuse(visit, uid, provider, 'disabled', user.userId);
  await remember(visit, 'identity', uid, { ...noted, userId: user.userId, connect: false });
  return completeSignIn(visit, user, provider.trustsSecondFactor ? ['fed', 'mfa'] : ['fed']);
}

async function whoCame<T>(
  visit: Visit,
  uid: string,
  { settings }: { settings: IdentityProvider; outside: OutsideProvider },
  work: () => Promise<T>,
) {
  try {
    return await work();
  } catch (error) {
    return explain(visit, uid, settings, error) as undefined;
  }
}

/** Tells a person why nothing came of it, and the log what really happened. */
function explain(visit: Visit, uid: string, { id, name }: IdentityProvider, error: unknown): void {
  if (!(error instanceof ProviderFault)) throw error;
  const { authority, issuer, texts } = visit;
  authority.log.warn({ err: error, repository: issuer.repository.slug, provider: id }, 'an identity provider said nothing');
  const declined = error.reason === 'declined';
  visit.say(declined ? 403 : 502, {
    title: texts.problem.title,
    text: declined ? texts.federation.declined(name) : texts.federation.failed(name),
    link: back(visit, uid),
  });
}

type Refusal = 'noAddress' | 'unknown' | 'otherDomain' | 'disabled';

function refuse(visit: Visit, uid: string, { id, name }: IdentityProvider, why: Refusal, userId: number | null = null): void {
  const { authority, issuer, texts } = visit;
  const reason = {
    noAddress: 'no verified address',
    unknown: 'nobody here',
    otherDomain: 'address of another domain',
    disabled: 'disabled',
  }[why];
  const refused = refusedSignIn(issuer.repository, { refused: true, userId }, visit.call);
  authority.refusals.record({ ...refused, reason: `${reason}, came from ${id}` });
  visit.say(403, { title: texts.problem.title, text: texts.federation[why](name), link: back(visit, uid) });
}

const gone = (visit: Visit, uid: string) => ({
  title: visit.texts.problem.title,
  text: visit.texts.federation.gone,
  link: back(visit, uid),
});

const back = (visit: Visit, uid: string) => ({ href: visit.path(`/interaction/${uid}`), label: visit.texts.federation.back });
const links = ({ authority, issuer }: Visit) => new IdentityLinks(authority.database, issuer.repository);
const redirectUri = ({ issuer }: Visit, providerId: string) => `${issuer.url}${federationCallbackPath(providerId)}`;
const secret = () => randomBytes(32).toString('base64url');

function redirect(visit: Visit, location: string): void {
  visit.response.writeHead(303, { location, 'cache-control': 'no-store', 'referrer-policy': 'no-referrer' }).end();
}
