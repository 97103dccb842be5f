import { createUserBody, passwordSchema, Problem } from '@latchkey/contracts';
import { invitationPage, type InvitationForm } from '../pages/invitation.js';
import type { Visit } from './visit.js';

/** Lets whoever holds the link of an invitation create their account or set their password: `/invitation/<token>`. */
export async function serveInvitation(visit: Visit, token: string): Promise<void> {
  const { authority, issuer, request, texts } = visit;
  const invitation = await authority.invitations.find(issuer.repository, token);
  if (!invitation) return visit.say(404, texts.invitation.gone);
  const action = request.url ?? '';
  if (!visit.posted) return visit.send(200, invitationPage(visit.look, invitation, action));

  const form = await visit.form();
  const text = (field: string) => form.get(field)?.trim() ?? '';
  const typed: InvitationForm = { login: text('login'), name: text('name'), email: text('email') };
  const refuse = (faulty: string, fault: string) =>
    visit.send(422, invitationPage(visit.look, invitation, action, { ...typed, faulty, fault }));

  const person = invitation.user ?? { loginName: text('login'), name: text('name'), email: text('email') };
  const checked = createUserBody.safeParse({ loginName: person.loginName, name: person.name, email: person.email ?? undefined });
  if (!checked.success && !invitation.user) {
    const field = { loginName: 'login', name: 'name', email: 'email' }[String(checked.error.issues[0]?.path[0])] ?? 'login';
    return refuse(field, texts.faults[field as keyof typeof texts.faults]);
  }
  const password = form.get('password') ?? '';
  const fault = passwordFault(visit, password);
  if (fault) return refuse('password', fault);
  if (password !== form.get('again')) return refuse('again', texts.newPassword.different);
  try {
    const { loginName, name, email } = person;
    await authority.invitations.accept(issuer.repository, token, { loginName, name, email, password }, visit.call);
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    if (error.type !== 'already-exists') return visit.say(error.status, texts.invitation.gone);
    const isEmail = error.errors?.[0]?.pointer === '/email';
    return refuse(isEmail ? 'email' : 'login', isEmail ? texts.invitation.taken.email : texts.invitation.taken.loginName);
  }
  const { title, text: done, portal } = texts.invitation.done;
  const link = invitation.role ? { href: authority.portalUrl, label: portal } : undefined;
  return visit.say(200, { title, text: done(person.loginName), ...(link ? { link } : {}) });
}

/** What is wrong with a new password, in words for whoever chose it. */
export function passwordFault({ texts }: Visit, password: string): string | undefined {
  if (passwordSchema.safeParse(password).success) return undefined;
  return password.length > 256 ? texts.newPassword.tooLong : texts.newPassword.tooShort;
}
