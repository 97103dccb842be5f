import { newTotpSecret, spellTotpSecret, totpUri } from '@latchkey/credentials';
import { OidcRecord } from '@latchkey/database';
import { hasFactor, type AddedFactor } from '@latchkey/tenancy';
import { multiFactor } from '../../authentication-context.js';
import { Said, Section, Thing } from '../../pages/account.js';
import { pageHeaders } from '../../pages/headers.js';
import { passkeyScriptHash } from '../../pages/passkey-script.js';
import { newPasskeyPage, newTotpPage, recoveryCodesPage } from '../../pages/second-factor.js';
import { amrOfPasskey, relyingParty } from '../second-factor.js';
import { takeChallenge, writeChallenge } from '../sign-in-step.js';
import type { AccountSection, AccountVisit, Outcome } from './section.js';

/** Second factors and passkeys: what there is, and adding and removing them. */
export const factorsSection: AccountSection = {
  actions: {
    totp: async (account) => showNewTotp(account, await proposeSecret(account)),
    'totp-add': async (account, form) => {
      const { visit } = account;
      const secret = await proposedSecret(account);
      if (!secret) return showNewTotp(account, await proposeSecret(account), visit.texts.factors.faults.wrong);
      const proof = { secret, code: (form.get('code') ?? '').replace(/\s/g, '') };
      const added = await visit.authority.secondFactors.addTotp(visit.issuer.repository, await personOf(account), proof, visit.act);
      if (!added) return showNewTotp(account, secret, visit.texts.factors.faults.wrong);
      await raiseSession(account, ['otp', 'mfa']);
      return showCodes(account, added);
    },
    'totp-remove': async (account) => {
      const { authority, issuer, act } = account.visit;
      await authority.secondFactors.removeTotp(issuer.repository, await personOf(account), act);
      return { done: account.visit.texts.account.saved };
    },
    passkey: (account) => showNewPasskey(account),
    'passkey-add': async (account, form) => {
      const { visit } = account;
      const challenge = await takeChallenge(visit, nameOf(account));
      const name =
        (form.get('name') ?? '')
          .trim()
          .slice(0, 60)
          .replace(/\p{Cc}/gu, '') || visit.texts.factors.passkeyName;
      const made = { challenge: challenge ?? '', answer: form.get('passkey') ?? '', name };
      const { repository } = visit.issuer;
      const added =
        challenge &&
        (await visit.authority.secondFactors.addPasskey(repository, relyingParty(visit), await personOf(account), made, visit.act));
      if (!added) return showNewPasskey(account, visit.texts.factors.faults.passkey);
      await raiseSession(account, [...amrOfPasskey(added), 'mfa']);
      return showCodes(account, added);
    },
    'passkey-remove': async (account, form) => {
      const { authority, issuer, act } = account.visit;
      await authority.secondFactors.removePasskey(issuer.repository, await personOf(account), form.get('passkey') ?? '', act);
      return { done: account.visit.texts.account.saved };
    },
    'recovery-codes': async (account) => {
      const { authority, issuer, act } = account.visit;
      return showCodes(account, {
        recoveryCodes: await authority.secondFactors.renewRecoveryCodes(issuer.repository, await personOf(account), act),
      });
    },
  },

  show: async ({ visit, user, fresh }, said) => {
    const texts = visit.texts.factors.account;
    const factors = await visit.authority.secondFactors.of(visit.issuer.repository, user.id);
    const path = (action: string) => visit.path(`/account/${action}`);
    return (
      <Section title={texts.title}>
        <Said said={said} />
        {hasFactor(factors) ? null : <p>{texts.none}</p>}
        <ul class="things">
          {factors.totp ? (
            <Thing
              name={texts.app}
              hint={texts.since(visit.moment(factors.totp.createdAt))}
              end={fresh && { action: path('totp-remove'), text: texts.remove, label: texts.removeOf(texts.app) }}
            />
          ) : null}
          {factors.passkeys.map(({ id, name, createdAt, lastUsedAt }) => (
            <Thing
              key={id}
              name={name}
              hint={[texts.since(visit.moment(createdAt)), lastUsedAt ? texts.lastUsed(visit.moment(lastUsedAt)) : texts.neverUsed].join(
                ', ',
              )}
              end={fresh && { action: path('passkey-remove'), field: ['passkey', id], text: texts.remove, label: texts.removeOf(name) }}
            />
          ))}
        </ul>
        {hasFactor(factors) ? <p class="hint">{texts.codesLeft(factors.recoveryCodesLeft)}</p> : null}
        {fresh && !factors.totp && visit.issuer.secondFactor !== 'disabled' ? (
          <form method="post" action={path('totp')}>
            <button type="submit" class="quiet">
              {texts.addApp}
            </button>
          </form>
        ) : null}
        {fresh ? (
          <form method="post" action={path('passkey')}>
            <button type="submit" class="quiet">
              {texts.addPasskey}
            </button>
          </form>
        ) : null}
        {fresh && hasFactor(factors) ? (
          <form method="post" action={path('recovery-codes')}>
            <button type="submit" class="quiet">
              {texts.newCodes}
            </button>
          </form>
        ) : null}
      </Section>
    );
  },
};

/** Under which the page keeps what it has proposed and asked: the session, so that another's answer is none. */
const nameOf = ({ session }: AccountVisit) => `account ${session}`;

const personOf = ({ visit, user, session }: AccountVisit) =>
  visit.authority.secondFactors.ofSession(visit.issuer.repository, user.id, session);

/** Whoever adds a factor proves it, and signed in a short while ago: their session is worth two factors from here on. */
async function raiseSession({ visit, user, session }: AccountVisit, amr: string[]): Promise<void> {
  const { id: repositoryId } = visit.issuer.repository;
  await visit.authority.database.transaction({ repositoryId }, (tx) =>
    tx.query(
      `UPDATE oidc_records SET payload = payload || jsonb_build_object('acr', $4::text, 'amr', coalesce(payload->'amr', '[]') || $5::jsonb)
       WHERE repository_id = $1 AND kind = 'Session' AND user_id = $2 AND uid = $3 AND payload->>'acr' <> $4`,
      [repositoryId, user.id, session, multiFactor, JSON.stringify(amr)],
    ),
  );
}

const proposal = 'TotpProposal';
const proposalSeconds = 600;

/** A secret that an authenticator app is to learn; kept encrypted until its first code proves that it has. */
async function proposeSecret(account: AccountVisit): Promise<Buffer> {
  const { authority, issuer } = account.visit;
  const secret = newTotpSecret();
  const { keyId, sealed } = authority.encryption.seal(secret);
  const row = {
    repositoryId: issuer.repository.id,
    kind: proposal,
    id: nameOf(account),
    payload: { keyId, sealed: sealed.toString('base64') },
    userId: account.user.id,
    expiresAt: new Date(Date.now() + proposalSeconds * 1000),
  };
  await authority.database.transaction({ repositoryId: issuer.repository.id }, (tx) =>
    tx.upsert(OidcRecord, row, ['repositoryId', 'kind', 'id']),
  );
  return secret;
}

async function proposedSecret(account: AccountVisit): Promise<Buffer | undefined> {
  const { authority, issuer } = account.visit;
  const where = { repositoryId: issuer.repository.id, kind: proposal, id: nameOf(account), userId: account.user.id };
  const row = await authority.database.read({ repositoryId: issuer.repository.id }, (tx) => tx.findOneBy(OidcRecord, where));
  if (!row?.expiresAt || row.expiresAt.getTime() < Date.now()) return undefined;
  const { keyId, sealed } = row.payload as { keyId: string; sealed: string };
  return authority.encryption.open(keyId, Buffer.from(sealed, 'base64'));
}

function showNewTotp({ visit, user }: AccountVisit, secret: Buffer, fault?: string): Outcome {
  const uri = totpUri(secret, { issuer: visit.issuer.name, account: user.loginName });
  const page = { action: visit.path('/account/totp-add'), back: visit.path('/account'), uri, secret: spellTotpSecret(secret), fault };
  return visit.send(fault ? 422 : 200, newTotpPage(visit.look, page)) as undefined;
}

async function showNewPasskey(account: AccountVisit, fault?: string): Promise<Outcome> {
  const { visit, user } = account;
  const options = await visit.authority.secondFactors.passkeyRegistration(visit.issuer.repository, relyingParty(visit), user.id);
  await writeChallenge(visit, nameOf(account), options.challenge);
  const page = {
    action: visit.path('/account/passkey-add'),
    back: visit.path('/account'),
    passkey: { kind: 'create' as const, options },
    fault,
  };
  const headers = pageHeaders(visit.look.brand, { script: passkeyScriptHash });
  return visit.send(fault ? 422 : 200, newPasskeyPage(visit.look, page), headers) as undefined;
}

/** The codes that came with it, which are shown nowhere else; without any the account page. */
function showCodes({ visit }: AccountVisit, { recoveryCodes }: AddedFactor): Outcome {
  if (!recoveryCodes) return { done: visit.texts.account.saved };
  return visit.send(
    200,
    recoveryCodesPage(visit.look, { action: visit.path('/account'), codes: recoveryCodes, method: 'get' }),
  ) as undefined;
}
