import { checkPassword, findByName, nameKey } from '@latchkey/credentials';
import { pageHeaders } from '../pages/headers.js';
import { passkeyScriptHash } from '../pages/passkey-script.js';
import { signInPage } from '../pages/sign-in.js';
import { refusedFactor, refusedSignIn } from '../refused.js';
import { knownDevice } from './device.js';
import { offerFederation } from './federation-offer.js';
import { completeSignIn, offerPasskey, provePasskeyAlone } from './second-factor.js';
import { arrival, mayPeopleSignUp } from './sign-up.js';
import { sayTooManyAttempts } from './slow-down.js';
import type { Visit } from './visit.js';
import { waitingApp } from './waiting-app.js';

/** Signs a person in whom an app has sent: `/interaction/<uid>`. */
export async function serveSignIn(visit: Visit, uid: string): Promise<void> {
  const { authority, issuer } = visit;
  const waiting = await waitingApp(visit, uid);
  if (!waiting) return visit.say(400, visit.texts.problem.startAgain);
  const { app, hint, formTargets } = waiting;
  const show = async (status: number, form: { name?: string; fault?: string }) => {
    const passkey = await offerPasskey(visit, uid);
    const federation = await offerFederation(visit, uid);
    const [action, forgotten] = [visit.path(`/interaction/${uid}`), visit.path('/forgotten-password')];
    const signUp = mayPeopleSignUp(visit) ? visit.path('/sign-up') : undefined;
    const html = signInPage(visit.look, { app, federation, action, forgotten, signUp, passkey, ...form });
    visit.send(status, html, pageHeaders(visit.look.brand, { formTargets, script: passkeyScriptHash }));
  };

  const arrived = visit.posted ? undefined : await arrival(visit);
  if (arrived) return completeSignIn(visit, arrived, ['pwd']);
  if (!visit.posted) return show(200, hint ? { name: hint } : {});
  const form = await visit.form();
  if (form.get('cancel')) return waiting.cancel();
  const answer = form.get('passkey');
  if (answer) {
    const proved = await provePasskeyAlone(visit, uid, answer);
    if (proved) return completeSignIn(visit, proved, proved.amr);
    authority.refusals.record(refusedFactor(issuer.repository, null, 'wrong passkey', visit.call));
    return show(401, { fault: visit.texts.factors.faults.passkeyAlone });
  }
  const name = form.get('login')?.trim() ?? '';
  const user = await findByName(authority.database, issuer.repository, name);
  const turn = await authority.attempts.begin({
    repositoryId: issuer.repository.id,
    name: nameKey(name),
    address: visit.call.address ?? '',
    device: user ? knownDevice(visit, user.id) : undefined,
  });
  if ('waitSeconds' in turn) return sayTooManyAttempts(visit, turn.waitSeconds);
  const person = await checkPassword(user, form.get('password') ?? '');
  if ('refused' in person) {
    authority.refusals.record(refusedSignIn(issuer.repository, person, visit.call));
    return show(401, { name, fault: visit.texts.signIn.wrong });
  }
  turn.giveBack();
  return completeSignIn(visit, person, ['pwd']);
}
