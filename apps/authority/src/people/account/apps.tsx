import { endAppAccess, listAppsOfUser } from '@latchkey/tenancy';
import { Said, Section, Thing } from '../../pages/account.js';
import type { AccountSection } from './section.js';

/** The apps that hold a grant of the person's: with it they get tokens. */
export const appsSection: AccountSection = {
  actions: {
    'end-app': async ({ visit, user }, form) => {
      await endAppAccess(visit.authority.database, visit.issuer.repository, user.id, form.get('app') ?? '', visit.call);
      return { done: visit.texts.account.saved };
    },
  },

  show: async ({ visit, user, fresh }, said) => {
    const texts = visit.texts.account.apps;
    const apps = await listAppsOfUser(visit.authority.database, visit.issuer.repository, user.id);
    return (
      <Section title={texts.title}>
        <Said said={said} />
        {apps.length === 0 ? <p class="hint">{texts.none}</p> : null}
        <ul class="things">
          {apps.map(({ clientId, name, since }) => (
            <Thing
              key={clientId}
              name={name}
              hint={texts.since(visit.moment(since))}
              end={fresh && { action: visit.path('/account/end-app'), field: ['app', clientId], text: texts.end, label: texts.endOf(name) }}
            />
          ))}
        </ul>
      </Section>
    );
  },
};
