import { endLink, listLinks } from '@latchkey/tenancy';
import { Said, Section } from '../../pages/account.js';
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
            <li key={providerId}>
              <div>
                <strong>{providerName}</strong>
                <p class="hint">{needed ? texts.needed : texts.since(visit.moment(since))}</p>
              </div>
              {fresh && !needed ? (
                <form method="post" action={visit.path('/account/end-link')}>
                  <input type="hidden" name="provider" value={providerId} />
                  <button type="submit" class="quiet small" aria-label={texts.endOf(providerName)}>
                    {texts.end}
                  </button>
                </form>
              ) : null}
            </li>
          ))}
        </ul>
      </Section>
    );
  },
};
