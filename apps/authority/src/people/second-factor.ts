import { newTotpSecret, spellTotpSecret, totpUri, type SignedIn } from '@latchkey/credentials';
import { hasFactor, type FactorsOfUser } from '@latchkey/tenancy';
import { multiFactor, mustHaveSecondFactor, wantedAcr } from '../authentication-context.js';
import { pageHeaders } from '../pages/headers.js';
import { passkeyScriptHash, type PasskeyOptions } from '../pages/passkey-script.js';
import { enrolPage, provePage, recoveryCodesPage } from '../pages/second-factor.js';
import { refusedFactor } from '../refused.js';
import { endStep, readStep, takeChallenge, writeChallenge, writeStep, type SignInStep } from './sign-in-step.js';
import type { Visit } from './visit.js';
import { refuseApp, sendBack, waitingApp, type WaitingApp } from './waiting-app.js';

/*
 * What lies between a right password and being signed in. Each page looks up where this browser is (see sign-in-step.ts);
 * whoever is elsewhere is sent to where they are, so that no step can be left out by its address.
 */

/**
 * Sends somebody who has proved who they are back to the app, or, where that is not enough, on to a second factor. Every way
 * of signing in ends here, so that none leads past what the repository, a tenant or the app demands.
 *
 * @param amr how they proved it (RFC 8176 §2); with `mfa` there is nothing left to ask.
 */
export async function completeSignIn(visit: Visit, person: SignedIn, amr: string[]): Promise<void> {
  const { authority, issuer, request, response } = visit;
  if (amr.includes('mfa')) return sendBack(visit, person, amr);
  const { uid, params } = await issuer.provider.interactionDetails(request, response);
  const asked = wantedAcr(params) === multiFactor;
  const has = hasFactor(await authority.secondFactors.of(issuer.repository, person.userId));
  const forced = await mustHaveSecondFactor(authority, issuer, person.userId);
  const disabled = issuer.secondFactor === 'disabled' && !forced;
  if (disabled && asked && !has) return refuseApp(visit, 'unmet_authentication_requirements', 'there are no second factors here');
  const prove = has && (asked || !disabled);
  if (!prove && !forced && !asked) return sendBack(visit, person, amr);
  return goOn(visit, uid, { ...person, amr, next: prove ? 'prove' : 'enrol' });
}

/** Whether a password alone does not sign somebody in, since they have a factor that they are asked for. */
export async function isAskedForFactor({ authority, issuer }: Visit, userId: number): Promise<boolean> {
  if (!hasFactor(await authority.secondFactors.of(issuer.repository, userId))) return false;
  return issuer.secondFactor !== 'disabled' || mustHaveSecondFactor(authority, issuer, userId);
}

/** Who signs in by a passkey alone; nothing when the answer proves nobody. */
export async function provePasskeyAlone(visit: Visit, uid: string, answer: string): Promise<(SignedIn & { amr: string[] }) | undefined> {
  const { authority, issuer } = visit;
  const challenge = await takeChallenge(visit, uid);
  if (!challenge) return undefined;
  const proved = await authority.secondFactors.provePasskey(issuer.repository, relyingParty(visit), { challenge, answer });
  return proved && { ...proved, amr: [...amrOfPasskey(proved), 'mfa'] };
}

/** What the sign-in page needs so that a passkey can be used instead of a password. */
export async function offerPasskey(visit: Visit, uid: string): Promise<PasskeyOptions> {
  const options = await visit.authority.secondFactors.passkeyAssertion(visit.issuer.repository, relyingParty(visit));
  await writeChallenge(visit, uid, options.challenge);
  return { kind: 'get', options };
}

/** Asks for a factor that there is: `/interaction/<uid>/factor`. */
export async function serveProof(visit: Visit, uid: string): Promise<void> {
  const at = await whereabouts(visit, uid, 'prove');
  if (!at) return undefined;
  const { authority, issuer } = visit;
  const { step, app } = at;
  if (!visit.posted) return showProof(visit, uid, at, 200);
  const form = await visit.form();
  if (form.get('cancel')) return app.cancel();
  const answer = form.get('passkey');
  if (answer) {
    const challenge = await takeChallenge(visit, uid);
    const proof = { challenge: challenge ?? '', answer };
    const proved = challenge && (await authority.secondFactors.provePasskey(issuer.repository, relyingParty(visit), proof, { of: step }));
    if (proved) return finish(visit, uid, step, amrOfPasskey(proved));
    authority.refusals.record(refusedFactor(issuer.repository, step.userId, 'wrong passkey', visit.call));
    return showProof(visit, uid, at, 401, visit.texts.factors.faults.passkey);
  }
  const checked = await authority.secondFactors.checkCode(
    issuer.repository,
    step,
    form.get('recovery') || form.get('code') || '',
    visit.act,
  );
  if (checked.outcome === 'right') return finish(visit, uid, step, ['otp']);
  authority.refusals.record(refusedFactor(issuer.repository, step.userId, 'wrong code', visit.call));
  const { wrong, wait } = visit.texts.factors.faults;
  if (checked.waitSeconds > 0) visit.response.setHeader('retry-after', String(checked.waitSeconds));
  const fault = checked.waitSeconds > 0 ? wait(Math.ceil(checked.waitSeconds / 60)) : wrong;
  return showProof(visit, uid, at, checked.outcome === 'wait' ? 429 : 401, fault);
}

/** Lets somebody who must have a factor add one: `/interaction/<uid>/enrol`. */
export async function serveEnrolment(visit: Visit, uid: string): Promise<void> {
  const at = await whereabouts(visit, uid, 'enrol');
  if (!at) return undefined;
  const { authority, issuer } = visit;
  const { app } = at;
  // They have one by now, from another browser: whoever knows no more than the password adds no second beside it.
  if (hasFactor(await authority.secondFactors.of(issuer.repository, at.step.userId)))
    return goOn(visit, uid, { ...at.step, next: 'prove' });
  const step = await withProposal(visit, uid, at.step);
  if (!visit.posted) return showEnrolment(visit, uid, { app, step }, 200);
  const form = await visit.form();
  if (form.get('cancel')) return app.cancel();
  const answer = form.get('passkey');
  const { factors } = visit.texts;
  if (answer) {
    const challenge = await takeChallenge(visit, uid);
    const made = { challenge: challenge ?? '', answer, name: factors.passkeyName };
    const added = challenge && (await authority.secondFactors.addPasskey(issuer.repository, relyingParty(visit), step, made, visit.act));
    if (!added) return showEnrolment(visit, uid, { app, step }, 422, factors.faults.passkey);
    return keepCodes(visit, uid, at, { ...step, amr: [...step.amr, ...amrOfPasskey(added), 'mfa'] }, added.recoveryCodes);
  }
  const code = (form.get('code') ?? '').replace(/\s/g, '');
  const added = await authority.secondFactors.addTotp(issuer.repository, step, { secret: secretOf(visit, step), code }, visit.act);
  if (!added) return showEnrolment(visit, uid, { app, step }, 422, factors.faults.wrong);
  return keepCodes(visit, uid, at, { ...step, amr: [...step.amr, 'otp', 'mfa'] }, added.recoveryCodes);
}

/** Waits until somebody has put their recovery codes away: `/interaction/<uid>/codes`. */
export async function serveRecoveryCodes(visit: Visit, uid: string): Promise<void> {
  const at = await whereabouts(visit, uid, 'keep');
  if (!at) return undefined;
  if (!visit.posted) return visit.send(200, recoveryCodesPage(visit.look, { action: pathOf(visit, uid, 'keep') }), at.app.headers);
  return (await endStep(visit, uid)) ? sendBack(visit, at.step, at.step.amr) : restart(visit, uid);
}

interface Whereabouts {
  app: WaitingApp;
  step: SignInStep;
}

/** Where this browser is, if it is where the page belongs. Otherwise it has been answered. */
async function whereabouts(visit: Visit, uid: string, expected: SignInStep['next']): Promise<Whereabouts | undefined> {
  const app = await waitingApp(visit, uid);
  if (!app) return visit.say(400, visit.texts.problem.startAgain) as undefined;
  const step = await readStep(visit, uid);
  if (step?.next === expected) return { app, step };
  return (step ? redirect(visit, pathOf(visit, uid, step.next)) : restart(visit, uid)) as undefined;
}

const pages = { prove: 'factor', enrol: 'enrol', keep: 'codes' };
const pathOf = (visit: Visit, uid: string, next: SignInStep['next']) => visit.path(`/interaction/${uid}/${pages[next]}`);
const restart = (visit: Visit, uid: string) => redirect(visit, visit.path(`/interaction/${uid}`));

function redirect(visit: Visit, path: string): void {
  visit.response.writeHead(303, { location: path, 'cache-control': 'no-store' }).end();
}

async function goOn(visit: Visit, uid: string, step: SignInStep): Promise<void> {
  await writeStep(visit, uid, step);
  redirect(visit, pathOf(visit, uid, step.next));
}

async function finish(visit: Visit, uid: string, step: SignInStep, amr: string[]): Promise<void> {
  if (!(await endStep(visit, uid))) return restart(visit, uid);
  return sendBack(visit, step, [...step.amr, ...amr, 'mfa']);
}

/** The only page that ever shows them. What follows is another request, so that the sign-in waits for a look at them. */
async function keepCodes(visit: Visit, uid: string, { app }: Whereabouts, step: SignInStep, codes: string[] | undefined): Promise<void> {
  await writeStep(visit, uid, { userId: step.userId, generation: step.generation, amr: step.amr, next: 'keep' });
  visit.send(200, recoveryCodesPage(visit.look, { action: pathOf(visit, uid, 'keep'), ...(codes ? { codes } : {}) }), app.headers);
}

async function showProof(visit: Visit, uid: string, { step, app }: Whereabouts, status: number, fault?: string): Promise<void> {
  const { authority, issuer } = visit;
  const factors = await authority.secondFactors.of(issuer.repository, step.userId);
  const passkey = hasPasskeyHere(visit, factors) ? await passkeyOf(visit, uid, step) : undefined;
  const page = { app: app.app, action: pathOf(visit, uid, 'prove'), hasApp: factors.totp !== null, passkey, fault };
  visit.send(status, provePage(visit.look, page), withScript(visit, app));
}

const hasPasskeyHere = (visit: Visit, { passkeys }: FactorsOfUser) => passkeys.some(({ rpId }) => rpId === relyingParty(visit).id);

async function passkeyOf(visit: Visit, uid: string, { userId }: SignInStep): Promise<PasskeyOptions> {
  const options = await visit.authority.secondFactors.passkeyAssertion(visit.issuer.repository, relyingParty(visit), userId);
  await writeChallenge(visit, uid, options.challenge);
  return { kind: 'get', options };
}

async function showEnrolment(visit: Visit, uid: string, { step, app }: Whereabouts, status: number, fault?: string): Promise<void> {
  const { authority, issuer } = visit;
  const options = await authority.secondFactors.passkeyRegistration(issuer.repository, relyingParty(visit), step.userId);
  await writeChallenge(visit, uid, options.challenge);
  const secret = secretOf(visit, step);
  const uri = totpUri(secret, { issuer: issuer.name, account: options.user.name });
  const passkey: PasskeyOptions = { kind: 'create', options };
  const page = { app: app.app, action: pathOf(visit, uid, 'enrol'), uri, secret: spellTotpSecret(secret), passkey, fault };
  visit.send(status, enrolPage(visit.look, page), withScript(visit, app));
}

/** The same secret at every look, until it is proved or the step has ended: somebody may have scanned it already. */
async function withProposal(visit: Visit, uid: string, step: SignInStep): Promise<SignInStep> {
  if (step.proposal) return step;
  const { keyId, sealed } = visit.authority.encryption.seal(newTotpSecret());
  const proposed = { ...step, proposal: { keyId, sealed: sealed.toString('base64') } };
  await writeStep(visit, uid, proposed);
  return proposed;
}

function secretOf({ authority }: Visit, { proposal }: SignInStep): Buffer {
  if (!proposal) throw new Error('nothing was proposed');
  return authority.encryption.open(proposal.keyId, Buffer.from(proposal.sealed, 'base64'));
}

function withScript(visit: Visit, { formTargets }: WaitingApp) {
  return pageHeaders(visit.look.brand, { formTargets, script: passkeyScriptHash });
}

/** Where passkeys of this issuer are made and used. */
export function relyingParty({ issuer }: Pick<Visit, 'issuer'>) {
  const { hostname, origin } = new URL(issuer.url);
  return { id: hostname, origin, name: issuer.name };
}

/** A key that may be on several devices is held by software; `user`: somebody was there (RFC 8176 §2). */
export const amrOfPasskey = ({ synced }: { synced: boolean }) => [synced ? 'swk' : 'hwk', 'user'];
