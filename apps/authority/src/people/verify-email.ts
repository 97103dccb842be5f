import { Problem } from '@latchkey/contracts';
import { verifyEmailPage } from '../pages/verify-email.js';
import type { Visit } from './visit.js';

/**
 * Makes an address a person's by the link that was mailed there: `/verify-email/<token>`. Opening it changes nothing, since
 * mail programs open links too; the button does.
 */
export async function serveVerifyEmail(visit: Visit, token: string): Promise<void> {
  const { authority, issuer } = visit;
  const { gone, taken, done, toAccount } = visit.texts.verifyEmail;
  const link = { href: visit.path('/account'), label: toAccount };
  const account = await authority.accounts.ofAddressLink(issuer.repository, token);
  if (!account) return visit.say(404, { ...gone, link });
  if (!visit.posted) return visit.send(200, verifyEmailPage(visit.look, { action: visit.path(`/verify-email/${token}`), ...account }));
  try {
    await authority.accounts.verifyAddress(issuer.repository, token, visit.act);
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    return visit.say(error.status, { ...(error.type === 'already-exists' ? taken : gone), link });
  }
  return visit.say(200, { title: done.title, text: done.text(account.address), link });
}
