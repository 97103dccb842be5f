import { signIn, type SignedIn } from '@latchkey/credentials';
import { recordSignIn } from '@latchkey/tenancy';
import { errors } from 'oidc-provider';
import { formTarget, pageHeaders } from '../pages/headers.js';
import { signInPage } from '../pages/sign-in.js';
import { refusedSignIn } from '../refused.js';
import type { Visit } from './visit.js';

/** Signs a person in whom an app has sent: `/interaction/<uid>`. */
export async function serveSignIn(visit: Visit, uid: string): Promise<void> {
  const { authority, issuer, request, response } = visit;
  const interaction = await waitingApp(visit, uid);
  if (!interaction) return visit.say(400, visit.texts.problem.startAgain);
  const { app, hint, headers } = interaction;
  const show = (status: number, form: { name?: string; fault?: string }) =>
    visit.send(status, signInPage(visit.look, { app, action: visit.path(`/interaction/${uid}`), ...form }), headers);

  if (!visit.posted) return show(200, hint ? { name: hint } : {});
  const form = await visit.form();
  if (form.get('cancel'))
    return issuer.provider.interactionFinished(request, response, {
      error: 'access_denied',
      error_description: 'The person cancelled',
    });
  const name = form.get('login')?.trim() ?? '';
  const person = await signIn(authority.database, issuer.repository, name, form.get('password') ?? '');
  if ('refused' in person) {
    authority.refusals.record(refusedSignIn(issuer.repository, person, visit.call));
    return show(401, { name, fault: visit.texts.signIn.wrong });
  }
  return completeSignIn(visit, person, ['pwd']);
}

/** The request of the app that this browser was sent with, if it is the one that the address names. */
export async function waitingApp(visit: Visit, uid: string) {
  const { provider } = visit.issuer;
  const interaction = await provider.interactionDetails(visit.request, visit.response).catch((error: unknown) => {
    if (error instanceof errors.SessionNotFound) return undefined;
    throw error;
  });
  // The cookie names the interaction; an address that names another was made up or belongs to another window.
  if (!interaction || interaction.uid !== uid || interaction.prompt.name !== 'login') return undefined;
  const { client_id, redirect_uri, login_hint, ui_locales } = interaction.params as Record<string, string | undefined>;
  visit.prefer(ui_locales);
  const target = URL.parse(redirect_uri ?? '');
  const client = await provider.Client.find(client_id ?? '');
  return {
    app: client?.clientName ?? visit.texts.signIn.anApp,
    hint: login_hint,
    headers: pageHeaders(visit.look.brand, { formTargets: target ? formTarget(target) : '' }),
  };
}

/**
 * Sends a person who has proved who they are back to the app.
 *
 * @param amr how they did (RFC 8176 §2)
 */
export async function completeSignIn(visit: Visit, person: SignedIn, amr: string[]): Promise<void> {
  const { authority, issuer, request, response } = visit;
  await recordSignIn(authority.database, issuer.repository, person.userId, visit.call);
  const login = { accountId: String(person.userId), amr };
  // The session will be bound to the generation that the password belonged to (see records.ts).
  return issuer.provider.interactionFinished(request, response, { login, generation: person.generation } as never);
}
