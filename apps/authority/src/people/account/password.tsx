import { PasswordRefused } from '@latchkey/tenancy';
import { Said, Section } from '../../pages/account.js';
import { Field, NewPassword } from '../../pages/layout.js';
import { sayTooManyAttempts } from '../slow-down.js';
import type { AccountSection } from './section.js';

/** The password. Changing it takes the present one, which is not guessed at any faster here than when signing in. */
export const passwordSection: AccountSection = {
  actions: {
    password: async ({ visit, user, session }, form) => {
      const { authority, issuer, texts } = visit;
      const next = form.get('password') ?? '';
      if (next !== form.get('again')) return { fault: texts.newPassword.different, faulty: 'again' };
      const turn = await authority.attempts.begin({
        repositoryId: issuer.repository.id,
        name: `change of ${user.id}`,
        address: visit.call.address ?? '',
      });
      if ('waitSeconds' in turn) return sayTooManyAttempts(visit, turn.waitSeconds) as undefined;
      try {
        const whose = { userId: user.id, session };
        const present = form.get('present') ?? '';
        const changed = await authority.accounts.changePassword(issuer.repository, whose, { present, next }, visit.act);
        if (!changed) return { fault: texts.account.password.wrong, faulty: 'present' };
      } catch (error) {
        turn.giveBack();
        if (error instanceof PasswordRefused) return { fault: texts.newPassword.faults[error.fault](error.shortest), faulty: 'password' };
        throw error;
      }
      turn.giveBack();
      return { done: texts.account.password.done };
    },
  },

  show: async ({ visit, user, fresh }, said) => {
    const texts = visit.texts.account.password;
    if (!user.hasPassword) return <Section title={texts.title}>{texts.none}</Section>;
    if (!fresh) return null;
    const faulty = said && 'fault' in said ? said.faulty : undefined;
    return (
      <Section title={texts.title}>
        <Said said={said} />
        <form method="post" action={visit.path('/account/password')}>
          <input type="hidden" name="login" value={user.loginName} autocomplete="username" />
          <Field
            label={texts.present}
            name="present"
            type="password"
            autocomplete="current-password"
            faulty={faulty === 'present'}
            hint={texts.hint}
          />
          <NewPassword look={visit.look} label={texts.next} faulty={faulty} />
          <button type="submit" class="quiet">
            {texts.submit}
          </button>
        </form>
      </Section>
    );
  },
};
