import { createTenantBody, createUserBody, Problem } from '@latchkey/contracts';
import { randomText, type SignedIn } from '@latchkey/credentials';
import { consoleSlug, PasswordRefused, type SignUps } from '@latchkey/tenancy';
import { newCustomerPage, signUpPage, type NewCustomerForm } from '../pages/sign-up.js';
import { rememberDevice } from './device.js';
import { takeArrival, writeArrival } from './sign-in-step.js';
import { sayTooManyRequests } from './slow-down.js';
import type { Visit } from './visit.js';

/** Whether strangers become customers here: at the console, where the operator lets them. */
export function mayPeopleSignUp(visit: Visit): boolean {
  return signUpsAt(visit) !== undefined;
}

/** Mails whoever has no account yet a link: `/sign-up`. */
export async function serveSignUp(visit: Visit): Promise<void> {
  const { authority, issuer, texts } = visit;
  const signUps = signUpsAt(visit);
  if (!signUps) return visit.say(404, texts.signUp.closed);
  const page = { action: visit.path('/sign-up'), portal: authority.portalUrl };
  if (!visit.posted) return visit.send(200, signUpPage(visit.look, page));
  const email = (await visit.form()).get('email')?.trim() ?? '';
  if (!createUserBody.shape.email.unwrap().safeParse(email).success)
    return visit.send(422, signUpPage(visit.look, { ...page, email, fault: texts.faults.email }));
  const turn = await authority.requests.begin(visit.call.address ?? '');
  if ('waitSeconds' in turn) return sayTooManyRequests(visit, turn.waitSeconds);
  // Answered before anything is looked up, so that neither the answer nor its time tells how many links the address has had.
  visit.say(200, texts.signUp.sent);
  return signUps.ask(issuer.repository, email, visit.act);
}

/** Lets whoever opened the link make an account and a tenant, and takes them to the portal, signed in: `/sign-up/<token>`. */
export async function serveNewCustomer(visit: Visit, token: string): Promise<void> {
  const { authority, issuer, texts } = visit;
  const { gone } = texts.newCustomer;
  const signUps = signUpsAt(visit);
  if (!signUps) return visit.say(404, texts.signUp.closed);
  const sayGone = () => visit.say(404, { ...gone, link: { href: visit.path('/sign-up'), label: gone.again } });
  const open = await signUps.find(issuer.repository, token);
  if (!open) return sayGone();
  const { address, account } = open;
  if (account?.hasTenant) return sayKnown(visit, account.loginName);
  const action = visit.path(`/sign-up/${token}`);
  const show = (status: number, form: NewCustomerForm) =>
    visit.send(status, newCustomerPage(visit.look, { action, address, knownAs: account?.loginName, ...form }));
  if (!visit.posted) return show(200, {});

  const form = await visit.form();
  const typed = { name: form.get('name')?.trim() ?? '', company: form.get('company')?.trim() ?? '' };
  const refuse = (faulty: string, fault: string) => show(422, { ...typed, faulty, fault });
  if (!account && !createTenantBody.safeParse({ name: typed.name }).success) return refuse('name', texts.faults.name);
  if (!createTenantBody.safeParse({ name: typed.company }).success) return refuse('company', texts.newCustomer.companyFault);
  const password = form.get('password') ?? '';
  if (!account && password !== form.get('again')) return refuse('again', texts.newPassword.different);
  try {
    if (account) await signUps.comeBack(issuer.repository, token, typed.company, visit.act);
    else await arrive(visit, await signUps.complete(issuer.repository, token, { ...typed, password }, visit.act));
  } catch (error) {
    if (error instanceof PasswordRefused) return refuse('password', texts.newPassword.faults[error.fault](error.shortest));
    if (!(error instanceof Problem)) throw error;
    const now = error.type === 'already-exists' ? await signUps.find(issuer.repository, token) : undefined;
    return now?.account ? sayKnown(visit, now.account.loginName) : sayGone();
  }
  visit.leave(`${authority.portalUrl}/welcome`);
}

async function arrive(visit: Visit, { id: userId }: { id: number }): Promise<void> {
  rememberDevice(visit, userId);
  await announceArrival(visit, { userId, generation: 1 });
}

/** Told to nobody but those who read what is sent to the address. */
function sayKnown(visit: Visit, loginName: string): void {
  const { known, portal } = visit.texts.newCustomer;
  visit.say(200, { title: known.title, text: known.text(loginName), link: { href: visit.authority.portalUrl, label: portal } });
}

function signUpsAt({ authority, issuer }: Visit): SignUps | undefined {
  return issuer.repository.slug === consoleSlug ? authority.signUps : undefined;
}

/*
 * Whoever has just set a password need not type it again to sign in to the portal. Their browser gets a cookie that stands for it,
 * once and for ten minutes; the database has a hash of it.
 */

const cookieName = 'arrival';

async function announceArrival(visit: Visit, person: SignedIn): Promise<void> {
  const token = randomText(43);
  await writeArrival(visit, nameOf(visit, token), person);
  setCookie(visit, token, 600);
}

/** Who has just signed up in this browser, once. */
export async function arrival(visit: Visit): Promise<SignedIn | undefined> {
  const token = new RegExp(`(?:^|;\\s*)${cookieName}=([0-9A-Za-z]{43})(?:;|$)`).exec(visit.request.headers.cookie ?? '')?.[1];
  if (token === undefined || !mayPeopleSignUp(visit)) return undefined;
  setCookie(visit, '', 0);
  return takeArrival(visit, nameOf(visit, token));
}

const nameOf = ({ authority }: Visit, token: string) => authority.peppers.mac(`arrival\n${token}`).toString('base64url');

function setCookie(visit: Visit, value: string, seconds: number): void {
  const secure = new URL(visit.issuer.url).protocol === 'https:' ? '; Secure' : '';
  // Lax: it is the portal, another site, that sends the browser back here.
  const attributes = `Path=${visit.path('/interaction/')}; Max-Age=${seconds}; HttpOnly; SameSite=Lax${secure}`;
  visit.response.appendHeader('set-cookie', `${cookieName}=${value}; ${attributes}`);
}
