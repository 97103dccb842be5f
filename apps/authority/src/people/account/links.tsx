import { endLink, listLinks } from '@latchkey/tenancy';
import { Said, Section, Thing } from '../../pages/account.js';
import type { AccountSection } from './section.js';

/** The identity providers with which the person is connected. */
export const linksSection: AccountSection = {
  actions: {
    'end-link': async ({ visit, user }, form) => {
      const { texts, authority, issuer } = visit;
      const link = { userId: user.id, providerId: form.get('provider') ?? '' };
      const done = await endLink(authority.database, issuer.repository, link, visit.call);
      return done ? { done: texts.account.saved } : { fault: texts.account.links.needed };
    },
  },

  show: async ({ visit, user, fresh }, said) => {
    const texts = visit.texts.account.links;
    const links = await listLinks(visit.authority.database, visit.issuer.repository, user.id);
    if (links.length === 0 && !said) return null;
    return (
      <Section title={texts.title}>
        <Said said={said} />
        <ul class="things">
          {links.map(({ providerId, providerName, since, needed }) => (
            <Thing
              key={providerId}
              name={providerName}
              hint={needed ? texts.needed : texts.since(visit.moment(since))}
              end={
                fresh &&
                !needed && {
                  action: visit.path('/account/end-link'),
                  field: ['provider', providerId],
                  text: texts.end,
                  label: texts.endOf(providerName),
                }
              }
            />
          ))}
        </ul>
      </Section>
    );
  },
};
