import { signIn } from '@latchkey/credentials';
import { pageHeaders } from '../pages/headers.js';
import { passkeyScriptHash } from '../pages/passkey-script.js';
import { signInPage } from '../pages/sign-in.js';
import { refusedFactor, refusedSignIn } from '../refused.js';
import { completeSignIn, offerPasskey, provePasskeyAlone } from './second-factor.js';
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
    const html = signInPage(visit.look, { app, action: visit.path(`/interaction/${uid}`), passkey, ...form });
    visit.send(status, html, pageHeaders(visit.look.brand, { formTargets, script: passkeyScriptHash }));
  };

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
  const person = await signIn(authority.database, issuer.repository, name, form.get('password') ?? '');
  if ('refused' in person) {
    authority.refusals.record(refusedSignIn(issuer.repository, person, visit.call));
    return show(401, { name, fault: visit.texts.signIn.wrong });
  }
  return completeSignIn(visit, person, ['pwd']);
}

export { completeSignIn, waitingApp };
