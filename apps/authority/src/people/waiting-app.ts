import type { SignedIn } from '@latchkey/credentials';
import { recordSignIn } from '@latchkey/tenancy';
import { errors } from 'oidc-provider';
import { acrOf } from '../authentication-context.js';
import { formTarget, pageHeaders } from '../pages/headers.js';
import { accountClientId } from './account/client.js';
import { describeDevice } from './account/describe-device.js';
import { rememberDevice } from './device.js';
import { finishFederation } from './federation-offer.js';
import type { Visit } from './visit.js';

/** The app that waits for somebody to sign in, and its request. */
export interface WaitingApp {
  /** Names its request; the browser's signed cookie holds it. */
  uid: string;
  /** What people call it. */
  app: string;
  hint: string | undefined;
  /** Its request (OpenID Connect Core 1.0 §3.1.2.1). */
  params: Record<string, unknown>;
  /** Where a form may lead, for `pageHeaders`. */
  formTargets: string;
  headers: Record<string, string>;
  /** Sends the browser back without anybody. */
  cancel: () => Promise<void>;
}

/** The request of the app that this browser was sent with, if it is the one that the address names. */
export async function waitingApp(visit: Visit, uid: string): Promise<WaitingApp | undefined> {
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
  const formTargets = formTarget(target);
  return {
    uid,
    app: client_id === accountClientId ? visit.texts.account.app : (client?.clientName ?? visit.texts.signIn.anApp),
    hint: login_hint,
    params: interaction.params,
    formTargets,
    headers: pageHeaders(visit.look.brand, { formTargets }),
    cancel: () => refuseApp(visit, 'access_denied', 'The person cancelled'),
  };
}

/** Sends the browser back to the app with an error (RFC 6749 §4.1.2.1). */
export async function refuseApp(visit: Visit, error: string, description: string): Promise<void> {
  return leave(visit, { error, error_description: description });
}

/**
 * Sends a person who has proved all that is asked of them back to the app, signed in.
 *
 * @param amr how they did (RFC 8176 §2)
 */
export async function sendBack(visit: Visit, person: SignedIn, amr: string[]): Promise<void> {
  const { authority, issuer, request, response } = visit;
  const { uid } = await issuer.provider.interactionDetails(request, response);
  const came = await finishFederation(visit, uid, person, amr);
  if (!came) return visit.say(400, visit.texts.problem.startAgain);
  await recordSignIn(authority.database, issuer.repository, person.userId, visit.call);
  if (!rememberDevice(visit, person.userId) && issuer.newDeviceMails && (await mayTellOfDevice(visit, person.userId))) {
    const device = describeDevice(visit.look, request.headers['user-agent']);
    await authority.accounts.tellOfNewDevice(issuer.repository, person.userId, device, visit.act);
  }
  const login = { accountId: String(person.userId), amr, acr: acrOf(amr) };
  // The session will be bound to the generation that the password belonged to (see records.ts).
  return leave(visit, { login, generation: person.generation, ...came });
}

/** Sends the browser back to the app with what came of its request. */
async function leave(visit: Visit, result: object): Promise<void> {
  const { request, response, issuer } = visit;
  const { params } = await issuer.provider.interactionDetails(request, response);
  const resume = await issuer.provider.interactionResult(request, response, result as never);
  visit.leave(resume, URL.parse(String(params['redirect_uri'])));
}

async function mayTellOfDevice({ authority, issuer }: Visit, userId: number): Promise<boolean> {
  return !('waitSeconds' in (await authority.requests.beginDevice({ repositoryId: issuer.repository.id, userId })));
}
