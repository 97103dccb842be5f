import { endSession, listSessions } from '@latchkey/tenancy';
import { Said, Section, Thing } from '../../pages/account.js';
import type { AccountSection } from './section.js';
import { describeDevice } from './describe-device.js';

/** Where the person is signed in: the browsers that have a session of theirs. */
export const sessionsSection: AccountSection = {
  actions: {
    'end-session': async ({ visit, user, session }, form) => {
      const id = form.get('session') ?? '';
      await endSession(visit.authority.database, visit.issuer.repository, user.id, id, visit.call);
      if (id !== session) return { done: visit.texts.account.saved };
      return visit.say(200, visit.texts.signOut.done) as undefined;
    },
    'sign-out-everywhere': async ({ visit, user }) => {
      await visit.authority.accounts.signOutEverywhere(visit.issuer.repository, user.id, visit.act);
      return visit.say(200, visit.texts.account.sessions.everywhereDone) as undefined;
    },
  },

  show: async ({ visit, user, session, fresh }, said) => {
    const texts = visit.texts.account.sessions;
    const sessions = await listSessions(visit.authority.database, visit.issuer.repository, user.id);
    const when = (date: Date) => visit.moment(date);
    return (
      <Section title={texts.title}>
        <Said said={said} />
        <ul class="things">
          {sessions.map(({ id, userAgent, address, signedInAt, usedAt }) => {
            const device = describeDevice(visit.look, userAgent);
            return (
              <Thing
                key={id}
                name={device}
                tag={id === session && texts.this}
                hint={[usedAt ? texts.lastUsed(when(usedAt)) : '', address ? texts.from(address) : '', texts.signedIn(when(signedInAt))]
                  .filter(Boolean)
                  .join(', ')}
                end={
                  fresh && {
                    action: visit.path('/account/end-session'),
                    field: ['session', id],
                    text: texts.end,
                    label: texts.endOf(device),
                  }
                }
              />
            );
          })}
        </ul>
        {fresh ? (
          <form method="post" action={visit.path('/account/sign-out-everywhere')}>
            <button type="submit" class="quiet">
              {texts.everywhere}
            </button>
            <p class="hint">{texts.everywhereHint}</p>
          </form>
        ) : null}
      </Section>
    );
  },
};
