import type { MailData, MailTemplate, PersonMailTemplate } from '@latchkey/jobs';
import { redact } from '@latchkey/runtime';

/** What a person reads. */
export interface MailText {
  subject: string;
  text: string;
}

/** Mails to the owners and super admins of a tenant. */
export type TenantMailTemplate = Exclude<MailTemplate, PersonMailTemplate>;

type Words = { [T in TenantMailTemplate]: (data: MailData<T>) => { subject: string; paragraphs: string[] } };

/** Every such mail's words; those to one person are in `person-mail-texts.ts`. */
const words: Words = {
  'webhook.disabled': ({ url, repository, because, failingSince }) => ({
    subject: `A webhook ${repository === null ? 'of your tenant' : `of ${repository}`} was disabled`,
    paragraphs: [
      because === 'gone'
        ? `The webhook ${withoutQuery(url)} ${belonging(repository)} answered "410 Gone", which says that it wants no more events.`
        : `The webhook ${withoutQuery(url)} ${belonging(repository)} has taken no event since ${moment(failingSince)}.`,
      'It was disabled, so nothing is sent to it any more. Events that it missed are kept for 90 days.',
      repository === null
        ? 'Set the webhook of the tenant again to enable it, or take it away.'
        : 'When the receiver works again, enable the webhook and redeliver what it missed; or remove the webhook.',
    ],
  }),
  'domain.lost': ({ domain, repository, record, givenUpAt }) =>
    givenUpAt === null
      ? {
          subject: `The domain ${domain} was given up`,
          paragraphs: [
            `The TXT record ${record} has been missing for two weeks, so the repository ${repository} no longer answers at ${domain}, and the tokens that were issued there are refused. Its own address goes on working.`,
            'If the domain is still yours, publish the record and verify the domain again.',
          ],
        }
      : {
          subject: `The DNS record of ${domain} is missing`,
          paragraphs: [
            `The repository ${repository} answers at ${domain} because of a TXT record at ${record}, and that record is not there any more.`,
            `Everything works on for now. Publish the record again; otherwise the domain is given up on ${moment(givenUpAt)}, and nobody can sign in there from then on.`,
          ],
        },
  'credential.due': ({ kind, name, hint, repository, because, dueAt, daysLeft }) => ({
    subject:
      because === 'expiry'
        ? `The ${kind} "${name}" expires ${inDays(daysLeft)}`
        : `The ${kind} "${name}" should be replaced ${inDays(daysLeft)}`,
    paragraphs: [
      because === 'expiry'
        ? `The ${kind} "${name}" (${hint}) ${belonging(repository)} expires on ${moment(dueAt)}. From then on it is refused.`
        : `The ${kind} "${name}" (${hint}) ${belonging(repository)} reaches the recommended age on ${moment(dueAt)}. It goes on working, but the longer a secret lives, the more places hold it.`,
      kind === 'client secret'
        ? 'Regenerate it with an overlap: both secrets work while you put the new one in place, and the page shows who still uses the old one.'
        : 'Make a new one, put it in place, and then remove the old one.',
    ],
  }),
};

/**
 * Writes a mail out. Whatever is shaped like a secret is blotted out: people name things as they like.
 *
 * @param portalUrl where its reader can act on it.
 */
export function writeMail<T extends TenantMailTemplate>(template: T, data: MailData<T>, portalUrl: string | undefined): MailText {
  const { subject, paragraphs } = words[template](data);
  const all = [
    ...paragraphs,
    ...(portalUrl === undefined ? [] : [portalUrl]),
    '-- \nSent by Latchkey to the owners and super admins of the tenant.',
  ];
  return { subject: redact(subject), text: `${redact(all.join('\n\n'))}\n` };
}

const belonging = (repository: string | null) => (repository === null ? 'of your tenant' : `of the repository ${repository}`);
const moment = (iso: string) => `${iso.slice(0, 16).replace('T', ' ')} UTC`;
const inDays = (days: number) => (days === 0 ? 'today' : days === 1 ? 'tomorrow' : `in ${days} days`);

/** Receivers that cannot check a signature put a password of their own there. */
const withoutQuery = (url: string) => url.replace(/\?.*/s, '');
