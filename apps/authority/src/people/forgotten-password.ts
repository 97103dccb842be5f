import { Problem } from '@latchkey/contracts';
import { PasswordRefused } from '@latchkey/tenancy';
import { forgottenPasswordPage, newPasswordPage } from '../pages/forgotten-password.js';
import { rememberDevice } from './device.js';
import { sayTooManyRequests } from './slow-down.js';
import type { Visit } from './visit.js';

/** Sends whoever has forgotten their password a link: `/forgotten-password`. */
export async function serveForgottenPassword(visit: Visit): Promise<void> {
  const { authority, issuer, texts } = visit;
  if (!visit.posted) return visit.send(200, forgottenPasswordPage(visit.look, visit.path('/forgotten-password')));
  const name = (await visit.form()).get('login')?.trim() ?? '';
  if (!name) return visit.send(422, forgottenPasswordPage(visit.look, visit.path('/forgotten-password'), texts.faults.login));
  const turn = await authority.requests.begin(visit.call.address ?? '');
  if ('waitSeconds' in turn) return sayTooManyRequests(visit, turn.waitSeconds);
  // Answered before anybody is looked up, so that neither the answer nor its time tells whether there is such an account.
  visit.say(200, texts.forgotten.sent);
  return authority.accounts.forgotPassword(issuer.repository, name, visit.act);
}

/** Sets a new password by a link that was mailed: `/new-password/<token>`. */
export async function serveNewPassword(visit: Visit, token: string): Promise<void> {
  const { authority, issuer, texts } = visit;
  const { gone, done } = texts.newPasswordByLink;
  const sayGone = () => visit.say(404, { ...gone, link: { href: visit.path('/forgotten-password'), label: gone.again } });
  const account = await authority.accounts.ofPasswordLink(issuer.repository, token);
  if (!account) return sayGone();
  const action = visit.path(`/new-password/${token}`);
  const show = (status: number, faulty?: string, fault?: string) =>
    visit.send(status, newPasswordPage(visit.look, { action, loginName: account.loginName, faulty, fault }));
  if (!visit.posted) return show(200);

  const form = await visit.form();
  const password = form.get('password') ?? '';
  if (password !== form.get('again')) return show(422, 'again', texts.newPassword.different);
  try {
    await authority.accounts.setPassword(issuer.repository, token, password, visit.act);
  } catch (error) {
    if (error instanceof PasswordRefused) return show(422, 'password', texts.newPassword.faults[error.fault](error.shortest));
    if (error instanceof Problem && error.type === 'not-found') return sayGone();
    throw error;
  }
  // Whoever reads the account's mail is no stranger: strangers' guesses shall not keep them out of this browser.
  rememberDevice(visit, account.userId);
  const link = { href: visit.path('/account'), label: texts.account.signIn };
  return visit.say(200, { title: done.title, text: done.text(account.loginName), link });
}
