import { createUserBody, Problem } from '@latchkey/contracts';
import { PasswordRefused } from '@latchkey/tenancy';
import { invitationPage, type InvitationForm } from '../pages/invitation.js';
import { accountOf, saysWhereFrom } from './account/account.js';
import { signInRequest } from './account/client.js';
import { setDestination } from './account/destination.js';
import type { AccountVisit } from './account/section.js';
import { rememberDevice } from './device.js';
import type { Visit } from './visit.js';

/** Lets whoever holds the link of an invitation create their account or set their password: `/invitation/<token>`. */
export async function serveInvitation(visit: Visit, token: string): Promise<void> {
  const { authority, issuer, request, texts } = visit;
  const invitation = await authority.invitations.find(issuer.repository, token);
  if (!invitation) return visit.say(404, texts.invitation.gone);
  const action = request.url ?? '';
  const known: InvitationForm = invitation.mailedTo ? { email: invitation.mailedTo } : {};
  // Whoever is to become a member may be one elsewhere, with an account.
  const mayJoin = invitation.role !== null && invitation.user === null;
  const account = mayJoin ? await accountOf(visit) : undefined;
  if (!visit.posted) return visit.send(200, invitationPage(visit.look, invitation, action, { ...known, mayJoin, account: account?.user }));

  const form = await visit.form();
  if (mayJoin && form.get('with') === 'another') {
    setDestination(visit, `/invitation/${token}`);
    return visit.leadTo(signInRequest(visit.issuer.url, { again: account !== undefined, languages: null }));
  }
  if (mayJoin && form.get('with') === 'this') return join(visit, token, account);
  const text = (field: string) => form.get(field)?.trim() ?? '';
  const typed: InvitationForm = { login: text('login'), name: text('name'), email: text('email') };
  const refuse = (faulty: string, fault: string) =>
    visit.send(422, invitationPage(visit.look, invitation, action, { ...typed, faulty, fault, mayJoin }));

  const person = invitation.user ?? { loginName: text('login'), name: text('name'), email: text('email') };
  const checked = createUserBody.safeParse({ loginName: person.loginName, name: person.name, email: person.email ?? undefined });
  if (!checked.success && !invitation.user) {
    const field = { loginName: 'login', name: 'name', email: 'email' }[String(checked.error.issues[0]?.path[0])] ?? 'login';
    return refuse(field, texts.faults[field as keyof typeof texts.faults]);
  }
  const password = form.get('password') ?? '';
  if (password !== form.get('again')) return refuse('again', texts.newPassword.different);
  try {
    const { loginName, name, email } = person;
    const user = await authority.invitations.accept(issuer.repository, token, { loginName, name, email, password }, visit.call);
    rememberDevice(visit, user.id);
    if (user.email && !user.emailVerified) await askToVerify(visit, user.id);
  } catch (error) {
    if (error instanceof PasswordRefused) return refuse('password', texts.newPassword.faults[error.fault](error.shortest));
    if (!(error instanceof Problem)) throw error;
    if (error.type !== 'already-exists') return visit.say(error.status, texts.invitation.gone);
    const isEmail = error.errors?.[0]?.pointer === '/email';
    return refuse(isEmail ? 'email' : 'login', isEmail ? texts.invitation.taken.email : texts.invitation.taken.loginName);
  }
  const { title, text: done, portal } = texts.invitation.done;
  const link = invitation.role ? { href: authority.portalUrl, label: portal } : undefined;
  return visit.say(200, { title, text: done(person.loginName), ...(link ? { link } : {}) });
}

/** Whom the network has asked to mail too much for confirms the address later, on the page of the account. */
async function askToVerify(visit: Visit, userId: number): Promise<void> {
  const { authority, issuer, call, act } = visit;
  if ('waitSeconds' in (await authority.requests.begin(call.address ?? ''))) return;
  await authority.accounts.askToVerify(issuer.repository, userId, undefined, act);
}

/** Makes whoever is signed in in this browser a member. */
async function join(visit: Visit, token: string, account: AccountVisit | undefined): Promise<void> {
  const { authority, issuer, texts } = visit;
  const { already, joined, gone, done } = texts.invitation;
  // A form that another site has made a browser send, or a session that has ended since.
  if (!account || !saysWhereFrom(visit)) return visit.leadTo(`/invitation/${token}`);
  const link = { href: authority.portalUrl, label: done.portal };
  try {
    await authority.invitations.join(issuer.repository, token, account.user.id, visit.call);
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    return visit.say(error.status, error.type === 'already-exists' ? { ...already, link } : gone);
  }
  return visit.say(200, { title: joined.title, text: joined.text(account.user.loginName), link });
}
