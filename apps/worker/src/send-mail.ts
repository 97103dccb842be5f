import { linkToken, type KeyRing } from '@latchkey/credentials';
import { Mail, MailedLink, Repository, type Database } from '@latchkey/database';
import { mailTemplates, type MailData, type MailTemplate, type PersonMailTemplate } from '@latchkey/jobs';
import type { Handlers } from '@latchkey/jobs/worker';
import type { AddressTemplate } from '@latchkey/runtime';
import { writeMail, type TenantMailTemplate } from './mail-texts.js';
import { describeMailFault, type Mailer, type Message } from './mailer.js';
import { writePersonMail } from './person-mail-texts.js';

export interface MailOptions {
  database: Database;
  /** Nothing is configured if absent: then every mail is given up, with that as its reason. */
  mailer: Mailer | undefined;
  /** Goes into the mails. */
  portalUrl: string | undefined;
  /** Of them the links in mails are made. */
  peppers: KeyRing;
  /** Where links lead: configuration, and nothing that a request said. */
  authorityUrls: AddressTemplate;
}

/** Where a link leads, below the issuer. */
const linkPaths: Record<MailedLink['purpose'], string> = {
  invitation: 'invitation',
  'verify-email': 'verify-email',
  'new-password': 'new-password',
  'sign-up': 'sign-up',
};

/** Sends one mail, to one person or as one message to whoever now is owner or super admin of the tenant, and notes how that went. */
export function sendMails(options: MailOptions): Handlers['mail.send'] {
  const { database, mailer } = options;
  return async ({ tenantId, mailId }, { lastAttempt }) => {
    const mail = await database.read({ tenantId }, (tx) => tx.findOneBy(Mail, { tenantId, id: mailId }));
    if (!mail || mail.sentAt || mail.failedAt) return;
    if (!mailer) return record(database, mail, { fault: 'No mail is configured: set SMTP_URL or MAIL_DIR', giveUp: true });
    const message = await compose(options, mail);
    if (typeof message === 'string') return record(database, mail, { fault: message, giveUp: true });
    const fault = await mailer({ id: mailId, ...message }).then(() => null, describeMailFault);
    await record(database, mail, { fault, giveUp: lastAttempt });
    if (fault) throw new Error(fault);
  };
}

/**
 * @returns the message, or why there will never be one.
 * @throws ZodError when the row is of another release and its data is not what this one's template takes.
 */
async function compose(options: MailOptions, mail: Mail): Promise<Omit<Message, 'id'> | string> {
  const template = mail.template as MailTemplate;
  if (!Object.hasOwn(mailTemplates, template)) throw new Error(`This release knows no mail ${mail.template}`);
  const data = mailTemplates[template].parse(mail.data);
  if ('to' in data) return composeForPerson(options, template as PersonMailTemplate, data);
  const to = await findOwners(options.database, mail.tenantId);
  if (to.length === 0) return 'No owner has an address';
  return { to, ...writeMail(template as TenantMailTemplate, data as MailData<TenantMailTemplate>, options.portalUrl) };
}

async function composeForPerson(
  { database, peppers, authorityUrls }: MailOptions,
  template: PersonMailTemplate,
  data: MailData<PersonMailTemplate>,
): Promise<Omit<Message, 'id'> | string> {
  const { repositoryId } = data;
  const linkId = 'linkId' in data ? data.linkId : undefined;
  // The inviting tenant's scope does not hold the console.
  const [repository, link] = await database.read('system', async (tx) => [
    await tx.findOneBy(Repository, { id: repositoryId }),
    linkId === undefined ? null : await tx.findOneBy(MailedLink, { repositoryId, id: linkId }),
  ]);
  if (!repository || repository.deletedAt) return 'The repository was deleted';
  if (linkId !== undefined && (!link || link.usedAt || link.expiresAt < new Date())) return 'The link was used or has run out';
  if (link && !peppers.ids.includes(link.keyId)) return 'The key of the link was taken out of SECRET_PEPPERS';
  const issuer = authorityUrls.of(repository.slug);
  // The secret begins to exist here, and is kept nowhere.
  const url = link ? `${issuer}/${linkPaths[link.purpose]}/${linkToken(peppers, link)}` : undefined;
  return { to: [data.to], ...writePersonMail(template, data as never, { repository: repository.name, issuer, link: url }) };
}

/** Members are users of the console, whose rows belong to no customer's scope. */
async function findOwners(database: Database, tenantId: string): Promise<{ name: string; address: string }[]> {
  return database.read('system', (tx) =>
    tx.query(
      `SELECT u.name, u.email AS address FROM members m
       JOIN repository_users u ON u.repository_id = m.repository_id AND u.id = m.user_id
       WHERE m.tenant_id = $1 AND m.role IN ('owner', 'super-admin') AND u.enabled AND u.email IS NOT NULL
       ORDER BY m.created_at, m.id`,
      [tenantId],
    ),
  );
}

async function record(
  database: Database,
  { tenantId, id }: Mail,
  { fault, giveUp }: { fault: string | null; giveUp: boolean },
): Promise<void> {
  await database.transaction({ tenantId }, (tx) =>
    tx.query(
      `UPDATE mails SET attempts = attempts + 1, last_error = $3::text, sent_at = CASE WHEN $3::text IS NULL THEN now() END,
         failed_at = CASE WHEN $3::text IS NOT NULL AND $4 THEN now() END
       WHERE tenant_id = $1 AND id = $2 AND sent_at IS NULL`,
      [tenantId, id, fault, giveUp],
    ),
  );
}
