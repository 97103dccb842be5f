import { createUserBody } from '@latchkey/contracts';
import { Field } from '../../pages/layout.js';
import { Said, Section } from '../../pages/account.js';
import { sayTooManyRequests } from '../slow-down.js';
import type { AccountSection } from './section.js';

/** Name and e-mail address. Another address is the person's once the link that is mailed there was opened. */
export const profileSection: AccountSection = {
  actions: {
    name: async ({ visit, user }, form) => {
      const name = createUserBody.shape.name.safeParse(form.get('name')?.trim());
      if (!name.success || !name.data) return { fault: visit.texts.faults.name, faulty: 'name' };
      await visit.authority.accounts.rename(visit.issuer.repository, user.id, name.data, visit.act);
      return { done: visit.texts.account.saved };
    },
    email: async ({ visit, user }, form) => {
      const email = createUserBody.shape.email.safeParse(form.get('email')?.trim());
      if (!email.success || !email.data) return { fault: visit.texts.faults.email, faulty: 'email' };
      const turn = await visit.authority.requests.begin(visit.call.address ?? '');
      if ('waitSeconds' in turn) return sayTooManyRequests(visit, turn.waitSeconds) as undefined;
      const { sent, tooMany } = visit.texts.account.profile;
      const ordered = await visit.authority.accounts.askToVerify(visit.issuer.repository, user.id, email.data, visit.act);
      return ordered ? { done: sent } : { fault: tooMany, faulty: 'email' };
    },
  },

  show: async ({ visit, user, fresh }, said) => {
    const texts = visit.texts.account.profile;
    const faulty = said && 'fault' in said ? said.faulty : undefined;
    const state = user.email === null ? texts.none : user.emailVerified ? texts.verified : texts.unverified;
    return (
      <Section title={texts.title}>
        <Said said={said} />
        {fresh ? (
          <>
            <form method="post" action={visit.path('/account/name')}>
              <Field label={texts.name} name="name" value={user.name} autocomplete="name" faulty={faulty === 'name'} />
              <button type="submit" class="quiet">
                {texts.saveName}
              </button>
            </form>
            <form method="post" action={visit.path('/account/email')}>
              <Field
                label={texts.email}
                name="email"
                type="email"
                value={user.email ?? ''}
                autocomplete="email"
                hint={state}
                faulty={faulty === 'email'}
              />
              <button type="submit" class="quiet">
                {texts.saveEmail}
              </button>
            </form>
          </>
        ) : (
          <dl>
            <dt>{texts.name}</dt>
            <dd>{user.name}</dd>
            <dt>{texts.email}</dt>
            <dd>
              {user.email} <span class="hint">{state}</span>
            </dd>
          </dl>
        )}
      </Section>
    );
  },
};
