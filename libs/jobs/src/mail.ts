import { newId, type EntityManager } from '@latchkey/database';
import { z } from 'zod';
import { enqueue } from './outbox.js';

const name = z.string().max(300);

/** Of a mail to one person about their account in a repository. */
const person = {
  to: z.strictObject({ name, address: z.string().max(300) }),
  language: z.enum(['en', 'de']),
  repositoryId: z.uuid(),
  loginName: name.nullable(),
};
/** The mail carries a link: the row of it, of which the worker makes the link as it sends the mail. */
const withLink = { ...person, linkId: z.uuid() };
const when = { at: z.iso.datetime(), address: z.string().max(100).nullable() };

/** What became of somebody's second factors, for the mail that tells them. */
const factorDeeds = [
  'totp-added',
  'totp-removed',
  'passkey-added',
  'passkey-removed',
  'recovery-codes-renewed',
  'recovery-code-used',
  'guessed-at',
] as const;
export type FactorDeed = (typeof factorDeeds)[number];

/**
 * Every mail there is, with what it tells. The words are the worker's (`mail-texts.ts`). The data is what was true when the
 * mail was decided on: names, times and reasons, never a secret.
 */
export const mailTemplates = {
  /** A webhook was switched off, because it failed for days or answered 410 Gone. */
  'webhook.disabled': z.strictObject({
    url: z.string(),
    /** Slug; null for the webhook of the whole tenant. */
    repository: name.nullable(),
    because: z.enum(['failing', 'gone']),
    failingSince: z.iso.datetime(),
  }),
  /** A credential is about to expire, or to reach the age at which it should be replaced. */
  'credential.due': z.strictObject({
    kind: z.enum(['client secret', 'API key', 'member credential', 'tenant credential']),
    /** What people call it: the name of the client or of the key. */
    name,
    /** Prefix and last four characters. */
    hint: name,
    /** Slug; null for a credential of the tenant or of a member. */
    repository: name.nullable(),
    because: z.enum(['expiry', 'age']),
    dueAt: z.iso.datetime(),
    daysLeft: z.int().min(0),
  }),
  /** The DNS record of a verified domain has gone, or has been gone for so long that the domain was given up. */
  'domain.lost': z.strictObject({
    domain: name,
    repository: name,
    /** Of the TXT record that is missing. */
    record: name,
    /** When it is given up; null when it was. */
    givenUpAt: z.iso.datetime().nullable(),
  }),
  /** Somebody was invited to take up an account, or to a tenant; `loginName` is null when they will choose one. */
  'person.invited': z.strictObject(withLink),
  /** Somebody wants to sign up with the address that this goes to, which may have an account already. */
  'person.sign-up': z.strictObject(withLink),
  /** The address that this goes to is, or shall become, the address of an account. */
  'person.verify-email': z.strictObject(withLink),
  /** Somebody has forgotten their password. */
  'person.new-password': z.strictObject(withLink),
  'person.password-changed': z.strictObject({ ...person, ...when }),
  /** Goes to the address that was theirs until now. */
  'person.email-changed': z.strictObject({ ...person, ...when }),
  /** The second factors of an account changed, or one of its recovery codes was used. */
  'person.factors': z.strictObject({ ...person, ...when, what: z.enum(factorDeeds), codesLeft: z.int().min(0) }),
  /** A tenant that they were in charge of was deleted. */
  'person.tenant-deleted': z.strictObject({ ...person, ...when, tenant: name, by: name }),
  'person.new-device': z.strictObject({ ...person, ...when, device: name }),
} as const satisfies Record<string, z.ZodObject>;

export type MailTemplate = keyof typeof mailTemplates;
export type MailData<T extends MailTemplate> = z.infer<(typeof mailTemplates)[T]>;

/** Mails to one person. The others go to the owners and super admins of the tenant. */
export type PersonMailTemplate = Extract<MailTemplate, `person.${string}`>;

/**
 * Tells the owners and super admins of a tenant by mail, or one person, once the transaction commits; who the owners are is
 * looked up when the mail is sent. The transaction must be in the scope of the tenant, or `system`.
 *
 * @returns the id of the mail.
 * @throws ZodError when the data is not what the template takes.
 */
export async function sendMail<T extends MailTemplate>(
  tx: EntityManager,
  tenantId: string,
  template: T,
  data: MailData<T>,
): Promise<string> {
  const id = newId();
  await tx.query('INSERT INTO mails (tenant_id, id, template, data) VALUES ($1, $2, $3, $4)', [
    tenantId,
    id,
    template,
    mailTemplates[template].parse(data),
  ]);
  await enqueue(tx, tenantId, 'mail.send', { tenantId, mailId: id });
  return id;
}
