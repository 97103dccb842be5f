import { Mail, type Database } from '@latchkey/database';
import { mailTemplates, type MailData, type MailTemplate } from '@latchkey/jobs';
import type { Handlers } from '@latchkey/jobs/worker';
import { writeMail } from './mail-texts.js';
import { describeMailFault, type Mailer } from './mailer.js';

export interface MailOptions {
  database: Database;
  /** Nothing is configured if absent: then every mail is given up, with that as its reason. */
  mailer: Mailer | undefined;
  /** Goes into the mails. */
  portalUrl: string | undefined;
}

/** Sends one mail to whoever now is owner or super admin of the tenant, as one message, and writes down how that went. */
export function sendMails({ database, mailer, portalUrl }: MailOptions): Handlers['mail.send'] {
  return async ({ tenantId, mailId }, { lastAttempt }) => {
    const mail = await database.read({ tenantId }, (tx) => tx.findOneBy(Mail, { tenantId, id: mailId }));
    if (!mail || mail.sentAt || mail.failedAt) return;
    const recipients = await findRecipients(database, tenantId);
    const obstacle = !mailer
      ? 'No mail is configured: set SMTP_URL or MAIL_DIR'
      : recipients.length === 0
        ? 'No owner has an address'
        : null;
    if (obstacle || !mailer) return record(database, mail, { fault: obstacle, giveUp: true });
    const fault = await mailer({ id: mailId, to: recipients, ...write(mail, portalUrl) }).then(() => null, describeMailFault);
    await record(database, mail, { fault, giveUp: lastAttempt });
    if (fault) throw new Error(fault);
  };
}

/** @throws ZodError when the row is of another release and its data is not what this one's template takes. */
function write(mail: Mail, portalUrl: string | undefined) {
  const template = mail.template as MailTemplate;
  if (!Object.hasOwn(mailTemplates, template)) throw new Error(`This release knows no mail ${mail.template}`);
  return writeMail(template, mailTemplates[template].parse(mail.data) as MailData<typeof template>, portalUrl);
}

/** Members are users of the console, whose rows belong to no customer's scope. */
async function findRecipients(database: Database, tenantId: string): Promise<{ name: string; address: string }[]> {
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
