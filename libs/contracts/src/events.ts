import { z } from 'zod';

/*
 * What a tenant's webhook is told. The body is that of Standard Webhooks: `{ type, timestamp, data }`. `data` is ids and
 * times, never a readable secret and nothing about a person; whoever needs more asks the API.
 */

const time = z.iso.datetime().describe('RFC 3339, UTC');

const repository = { repositoryId: z.uuid(), slug: z.string() };
const client = { repositoryId: z.uuid(), clientId: z.string() };
const user = { repositoryId: z.uuid(), userId: z.int() };
const cutoff = {
  cutoffId: z.uuid(),
  plannedFor: time
    .nullable()
    .describe('When a planned rotation takes effect; null when no node accepted what was cut off any more before this was sent'),
};

/** At webhooks with an encryption key. */
const sealed = {
  secret: z
    .string()
    .optional()
    .describe('Only at a webhook with an encryption key: the secret itself, as a compact JWE (RFC 7516) that its private key opens'),
};

/** A credential of the tenant or of a member: a client of the console. */
const tenantCredential = { clientId: z.string() };
const memberCredential = { memberId: z.uuid(), clientId: z.string() };
const secretId = z.uuid();

/** Of a planned rotation that ended before its time. */
const rotation = (which: string) => ({
  secretId: z.uuid().describe(which),
  plannedCutoffId: z.uuid().describe('What was announced, and is withdrawn'),
  ...cutoff,
});

/** Every event by its name, with the shape of its `data`. A name, once sent, keeps its meaning. */
export const webhookEvents = {
  'repository.created': z.strictObject(repository).describe('A repository was provisioned and works'),
  'repository.suspended': z.strictObject({ ...repository, ...cutoff }).describe('A repository accepts no credential until it is resumed'),
  'repository.resumed': z.strictObject(repository).describe('A suspended repository works again'),
  'repository.deleted': z.strictObject({ ...repository, ...cutoff }).describe('A repository was deleted; for 30 days it can be restored'),
  'repository.restored': z.strictObject(repository).describe('A deleted repository works again'),
  'client.created': z
    .strictObject({ ...client, secretId: z.uuid().optional().describe('Absent for an app'), ...sealed })
    .describe('A repository has a new client'),
  'client.deleted': z.strictObject({ ...client, ...cutoff }).describe('A client, its secrets and its tokens ended'),
  'client.secret.created': z
    .strictObject({ ...client, secretId: z.uuid(), ...sealed })
    .describe('A client has one more secret; the others go on working'),
  'client.secret.regenerated': z
    .strictObject({ ...client, secretId: z.uuid().describe('The new secret'), ...cutoff, ...sealed })
    .describe('A client has a new secret, and the earlier ones have ended or will at plannedFor'),
  'client.secret.revoked': z.strictObject({ ...client, secretId: z.uuid(), ...cutoff }).describe('A secret and the tokens it minted ended'),
  'client.secret.rotation-cancelled': z
    .strictObject({ ...client, ...rotation('The newer secret, which ended') })
    .describe('A planned rotation was cancelled: the newer secret and its tokens ended, the earlier one goes on working'),
  'client.secret.rotation-finished': z
    .strictObject({ ...client, ...rotation('The newer secret, which is left') })
    .describe('A planned rotation was finished before its time: the earlier secret and its tokens ended'),
  'client.user-changed': z
    .strictObject({ ...client, userId: z.int().describe('Whom it acts as from now on'), ...cutoff })
    .describe('A tool client acts as another user; the tokens that it had ended'),
  'api-key.created': z.strictObject({ ...user, apiKeyId: z.uuid() }).describe('A user has one more API key'),
  'api-key.deleted': z.strictObject({ repositoryId: z.uuid(), apiKeyId: z.uuid(), ...cutoff }).describe('An API key ended'),
  'user.created': z.strictObject(user).describe('A repository has a new user'),
  'user.disabled': z.strictObject({ ...user, ...cutoff }).describe('A user can no longer sign in; sessions, tokens and API keys ended'),
  'user.signed-out': z.strictObject({ ...user, ...cutoff }).describe('A user was signed out everywhere; older sessions and tokens ended'),
  'user.enabled': z.strictObject(user).describe('A disabled user can sign in again'),
  'user.password.changed': z.strictObject({ ...user, ...cutoff }).describe('A user has a new password; older sessions and tokens ended'),
  'user.factors.reset': z
    .strictObject({ ...user, ...cutoff })
    .describe('Second factors of a user were taken away; older sessions and tokens ended'),
  'user.deleted': z.strictObject({ ...user, ...cutoff }).describe('A user is gone; sessions, tokens and API keys ended'),
  'tenant.credential.created': z.strictObject({ ...tenantCredential, secretId }).describe('The tenant has a new credential'),
  'tenant.credential.regenerated': z
    .strictObject({ ...tenantCredential, secretId: secretId.describe('The new secret'), ...cutoff })
    .describe('A tenant credential has a new secret; the earlier ones ended'),
  'tenant.credential.rotation-cancelled': z
    .strictObject({ ...tenantCredential, ...rotation('The newer secret, which ended') })
    .describe('A planned rotation of a tenant credential was cancelled: the newer secret ended, the earlier one goes on working'),
  'tenant.credential.rotation-finished': z
    .strictObject({ ...tenantCredential, ...rotation('The newer secret, which is left') })
    .describe('A planned rotation of a tenant credential was finished before its time: the earlier secret ended'),
  'tenant.credential.revoked': z.strictObject({ ...tenantCredential, ...cutoff }).describe('A tenant credential and its tokens ended'),
  'member.credential.created': z.strictObject({ ...memberCredential, secretId }).describe('A member made a credential'),
  'member.credential.revoked': z.strictObject({ ...memberCredential, ...cutoff }).describe('A member credential and its tokens ended'),
  'credential.due': z
    .strictObject({
      kind: z.enum(['client-secret', 'api-key', 'tenant-credential', 'member-credential']),
      repositoryId: z.uuid().optional().describe('Absent for a credential of the tenant or of a member'),
      clientId: z.string().optional().describe('Absent for an API key'),
      versionId: z.uuid().describe('The secret version, or the API key'),
      because: z.enum(['expiry', 'age']).describe('It will expire, or it will be as old as a secret should get'),
      dueAt: time,
      daysLeft: z.int().min(0),
    })
    .describe('A credential should be replaced; sent 30 days, 7 days and a day before'),
  'webhook.test': z
    .strictObject({ repositoryId: z.uuid(), webhookId: z.uuid() })
    .describe('Somebody asked for a test. It goes to the webhook that was named, whatever events that takes'),
} as const;

/** The names, for choosing among them. */
export const webhookEventNames = Object.keys(webhookEvents) as WebhookEvent[];

export type WebhookEvent = keyof typeof webhookEvents;
export type WebhookEventData<E extends WebhookEvent> = z.infer<(typeof webhookEvents)[E]>;
