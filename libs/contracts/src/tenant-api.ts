import { z } from 'zod';
import { brandingChange, brandingView } from './branding.js';
import { memberCredentialPolicy } from './member-policy.js';
import { repositoryPermissions } from './permissions.js';
import { slugSchema } from './slug.js';

/*
 * Bodies of the tenant API, as sent and as answered. Every request body is strict: an unknown member is a fault.
 * Times are RFC 3339 in UTC.
 */

/** A moment in an answer. */
export const time = z.iso.datetime({ precision: 3 }).describe('RFC 3339, UTC');
/** Text that PostgreSQL can store and every client can show: no control characters, no half of a surrogate pair. */
export const isPlainText = (value: string) => value.isWellFormed() && !/\p{Cc}/u.test(value);
/** What breaks a line, or turns the direction of what follows, be it not of the name (Unicode UAX #9 §2). */
const misleading = /[\u2028\u2029\u202A-\u202E\u2066-\u2069]/u;
/** What people call something: a line that shows something, and nothing of what stands beside it differently. */
export const displayName = z
  .string()
  .trim()
  .min(1, 'must not be empty')
  .max(120, 'must be at most 120 characters')
  .refine((value) => isPlainText(value) && !misleading.test(value), 'must not hold control characters')
  .refine((value) => value === '' || value.replace(/\p{Default_Ignorable_Code_Point}/gu, '').trim() !== '', 'must show something');

const environments = ['production', 'integration'] as const;
export type Environment = (typeof environments)[number];

const repositoryStatuses = ['active', 'suspended', 'deleted'] as const;

const loopbackHosts = new Set(['localhost', '127.0.0.1', '[::1]']);

/**
 * A redirect URI that can be matched exactly (RFC 9700 §2.1): absolute, https or a custom scheme, http only on
 * loopback (RFC 8252 §7.3), without fragment, user info or wildcard.
 */
const redirectUriSchema = z
  .string()
  .max(2000)
  .superRefine((value, context) => {
    const fault = (message: string) => context.addIssue({ code: 'custom', message });
    const url = /[\s\p{Cc}]/u.test(value) || !value.isWellFormed() ? null : URL.parse(value);
    if (!url) return fault('must be an absolute URI');
    if (value.includes('#')) return fault('must not have a fragment');
    if (value.includes('*')) return fault('must be exact: wildcards are refused');
    if (url.username || url.password) return fault('must not have user info');
    if (url.protocol === 'http:' && !loopbackHosts.has(url.hostname)) return fault('must be https (http only on loopback)');
    if (['javascript:', 'data:', 'file:', 'blob:', 'about:'].includes(url.protocol)) return fault('has a scheme that is refused');
    return undefined;
  });

/** An origin as a browser sends it (RFC 6454 §6.1): scheme, host and port, nothing after. */
const originSchema = z
  .string()
  .refine(
    (value) => /^https?:$/.test(URL.parse(value)?.protocol ?? '') && URL.parse(value)?.origin === value,
    'must be an origin such as https://app.example.com',
  );

/** The longest that somebody stays signed in: 400 days, as long as browsers keep a cookie. */
const maxSessionSeconds = 400 * 86_400;

/** What a repository's tokens can be signed with (RFC 7518 §3.1). */
export const signingAlgorithms = ['ES256', 'RS256'] as const;

const redirectUris = z.array(redirectUriSchema).max(50);

export const createRepositoryBody = z.strictObject({
  slug: slugSchema,
  name: displayName,
  environment: z.enum(environments),
  redirectUris: redirectUris.optional().describe('Redirect URIs of the app client; they can be set later too'),
});
export type CreateRepositoryBody = z.infer<typeof createRepositoryBody>;

/** Whether users who signed in with a password prove a second factor: if they have one, always, or never. */
const secondFactorModes = ['optional', 'forced', 'disabled'] as const;
export type SecondFactorMode = (typeof secondFactorModes)[number];
const secondFactor = z
  .enum(secondFactorModes)
  .describe('A second factor after the password: for users who have one, for all (who has none sets one up), or for none');

export const updateRepositoryBody = z.strictObject({
  name: displayName.optional(),
  allowedOrigins: z.array(originSchema).max(100).optional().describe('Origins whose pages may call the repository API'),
  accessTokenSeconds: z.int().min(60).max(86_400).optional().describe('Life of a token that a person got through an app'),
  toolTokenSeconds: z.int().min(60).max(86_400).optional().describe('Life of a token that a tool got'),
  newDeviceMails: z.boolean().optional().describe('Whether users are told by mail of a sign-in in a browser they had not used before'),
  branding: brandingChange.optional().describe('How its sign-in pages look; what is not named stays as it is'),
  refreshTokenSeconds: z
    .int()
    .min(300)
    .max(maxSessionSeconds)
    .optional()
    .describe('From signing in to the end of the last refresh token, however often it is used'),
  sessionSeconds: z
    .int()
    .min(300)
    .max(maxSessionSeconds)
    .optional()
    .describe('From signing in to the moment the authority asks for it again, however often it was used meanwhile'),
  signingAlgorithm: z.enum(signingAlgorithms).optional().describe('Of tokens; RS256 for clients that know nothing else'),
  deviceFlow: z.boolean().optional().describe('Whether its app clients may sign people in on devices and command lines (RFC 8628)'),
  secondFactor: secondFactor.optional(),
});
export type UpdateRepositoryBody = z.infer<typeof updateRepositoryBody>;

const appClientView = z.object({ clientId: z.string(), redirectUris: z.array(z.string()) });

export const repositoryView = z.object({
  id: z.uuid(),
  slug: z.string(),
  name: z.string(),
  environment: z.enum(environments),
  status: z.enum(repositoryStatuses),
  authorityUrl: z.url(),
  repositoryUrl: z.url(),
  appClient: appClientView,
  toolClient: z.object({ clientId: z.string() }),
  allowedOrigins: z.array(z.string()),
  accessTokenSeconds: z.int(),
  toolTokenSeconds: z.int(),
  newDeviceMails: z.boolean().describe('Users are told by mail of a sign-in in a browser they had not used before'),
  branding: brandingView,
  refreshTokenSeconds: z.int(),
  sessionSeconds: z.int(),
  signingAlgorithm: z.enum(signingAlgorithms),
  deviceFlow: z.boolean(),
  secondFactor,
  createdAt: time,
  deletedAt: time.nullable(),
});
export type RepositoryView = z.infer<typeof repositoryView>;

export const secretView = z.object({
  id: z.uuid(),
  hint: z.string().describe('Prefix and last four characters'),
  createdAt: time,
  expiresAt: time.nullable().describe('When it ends by itself: by its date, or when a planned rotation is over'),
  lastUsedAt: time.nullable(),
  endedAt: time.nullable(),
  status: z.enum(['live', 'ending', 'ended', 'expired']),
  cutoffId: z
    .uuid()
    .nullable()
    .describe('Of one that is ending: the cut-off that was announced, by which the rotation is cancelled or finished'),
});
export type SecretView = z.infer<typeof secretView>;

export const newSecretView = z.object({
  id: z.uuid(),
  value: z.string().describe('The secret itself. Shown in this one answer only'),
  hint: z.string(),
  createdAt: time,
  expiresAt: time.nullable(),
});
export type NewSecretView = z.infer<typeof newSecretView>;

export const provisionedRepositoryView = repositoryView.extend({
  toolClient: z.object({ clientId: z.string(), secret: newSecretView }),
});
export type ProvisionedRepositoryView = z.infer<typeof provisionedRepositoryView>;

const clientKinds = ['app', 'tool'] as const;

const permissions = z.array(z.enum(repositoryPermissions)).max(repositoryPermissions.length);

export const createClientBody = z.discriminatedUnion('kind', [
  z.strictObject({
    kind: z.literal('app'),
    name: displayName,
    redirectUris: redirectUris.default([]),
    postLogoutRedirectUris: redirectUris.default([]),
  }),
  z.strictObject({
    kind: z.literal('tool'),
    name: displayName,
    permissions: permissions.default([...repositoryPermissions]),
    userId: z.int32().positive().optional().describe('The repository user it acts as; the default administrator if absent'),
  }),
]);
export type CreateClientBody = z.infer<typeof createClientBody>;

/** An address of a client's own server that ours calls. */
const clientServerUrl = z
  .url({ protocol: /^https?$/ })
  .max(2000)
  .refine((value) => {
    const url = URL.parse(value);
    return isPlainText(value) && !url?.username && !url?.password && !value.includes('#');
  }, 'must not have user info or a fragment')
  .refine((value) => {
    const url = URL.parse(value);
    return url?.protocol === 'https:' || loopbackHosts.has(url?.hostname ?? '');
  }, 'must be https (http only on loopback)')
  .nullable();

export const updateClientBody = z.strictObject({
  name: displayName.optional(),
  jwksUri: clientServerUrl
    .optional()
    .describe('Where a tool publishes its public keys (RFC 7517 §5); null ends those that were found there'),
  backchannelLogoutUri: clientServerUrl.optional().describe('Where an app is told that somebody has signed out; null for nowhere'),
  redirectUris: redirectUris.optional(),
  postLogoutRedirectUris: redirectUris.optional(),
  permissions: permissions.optional(),
  userId: z.int32().positive().nullable().optional().describe('The repository user that a tool acts as; null: the default administrator'),
});
export type UpdateClientBody = z.infer<typeof updateClientBody>;

export const clientView = z.object({
  clientId: z.string(),
  kind: z.enum(clientKinds),
  name: z.string(),
  redirectUris: z.array(z.string()),
  postLogoutRedirectUris: z.array(z.string()),
  permissions: z.array(z.string()),
  userId: z.int().nullable(),
  jwksUri: z.string().nullable(),
  backchannelLogoutUri: z.string().nullable(),
  createdAt: time,
});
export type ClientView = z.infer<typeof clientView>;

export const createdClientView = clientView.extend({ secret: newSecretView.optional() });
export type CreatedClientView = z.infer<typeof createdClientView>;

export const createSecretBody = z.strictObject({ expiresAt: z.iso.datetime().optional().describe('When it ends by itself') });
export type CreateSecretBody = z.infer<typeof createSecretBody>;

/** The longest overlap of a planned rotation: 30 days. */
const maxOverlapSeconds = 30 * 86_400;

export const regenerateSecretBody = z.strictObject({
  overlapSeconds: z
    .int()
    .min(0)
    .max(maxOverlapSeconds)
    .default(0)
    .describe('How long the earlier secret goes on working; 0 ends it at once'),
  expiresAt: z.iso.datetime().optional().describe('When the new secret ends by itself'),
});
export type RegenerateSecretBody = z.infer<typeof regenerateSecretBody>;

export const cutoffView = z.object({
  id: z.uuid(),
  effectiveAt: time.describe('From this moment no node accepts the earlier secret or a token it minted'),
});
export type CutoffView = z.infer<typeof cutoffView>;

export const regeneratedSecretView = z.object({ secret: newSecretView, cutoff: cutoffView });
export type RegeneratedSecretView = z.infer<typeof regeneratedSecretView>;

export const updatedClientView = clientView.extend({
  cutoff: cutoffView.optional().describe('The end of the tokens that a tool had got, if it acts as another user from now on'),
});
export type UpdatedClientView = z.infer<typeof updatedClientView>;

export const revokedSecretView = z.object({ cutoff: cutoffView });

export const createApiKeyBody = z.strictObject({
  name: displayName,
  permissions: permissions.default([...repositoryPermissions]),
  expiresAt: z.iso.datetime().optional().describe('A year from now if absent'),
});
export type CreateApiKeyBody = z.infer<typeof createApiKeyBody>;

export const apiKeyView = z.object({
  id: z.uuid(),
  hint: z.string().describe('Prefix and last four characters'),
  name: z.string(),
  permissions: z.array(z.string()),
  userId: z.int(),
  createdAt: time,
  expiresAt: time,
  lastUsedAt: time.nullable(),
});
export type ApiKeyView = z.infer<typeof apiKeyView>;

export const createdApiKeyView = apiKeyView.extend({ value: z.string().describe('The key itself. Shown in this one answer only') });
export type CreatedApiKeyView = z.infer<typeof createdApiKeyView>;

export const consumerView = z.object({
  consumer: z.string().describe('The name that the caller declares, else its user agent'),
  address: z.string(),
  secretId: z.uuid(),
  secretHint: z.string(),
  outcome: z.enum(['accepted', 'replaced']).describe('replaced: it still presents a secret that has ended'),
  uses: z.int(),
  firstUsedAt: time,
  lastUsedAt: time,
});
export type ConsumerView = z.infer<typeof consumerView>;

/** Where events are sent. Without user info, which would be a password in a column that is shown. */
export const webhookUrlSchema = z
  .url({ protocol: /^https?$/ })
  .max(2000)
  .refine((value) => {
    const url = URL.parse(value);
    return isPlainText(value) && !url?.username && !url?.password && !value.includes('#');
  }, 'must not have user info or a fragment');

const webhookSetting = z.strictObject({ url: webhookUrlSchema });

export const updateTenantBody = z.strictObject({
  name: displayName.optional(),
  webhook: webhookSetting.nullable().optional().describe('Where signed events go; null ends them'),
  memberCredentials: memberCredentialPolicy.partial().optional().describe('What is not named stays as it is'),
  mfaEnforced: z.boolean().optional().describe('Whether every member must prove a second factor when signing in'),
});
export type UpdateTenantBody = z.infer<typeof updateTenantBody>;

export const tenantView = z.object({
  id: z.uuid(),
  name: z.string(),
  webhook: z.object({ url: z.string() }).nullable(),
  memberCredentials: memberCredentialPolicy,
  mfaEnforced: z.boolean().describe('Multi-factor authentication is enforced for every member'),
  createdAt: time,
});
export type TenantView = z.infer<typeof tenantView>;

export const updatedTenantView = tenantView.extend({
  webhookSigningSecret: z.string().optional().describe('Standard Webhooks secret. Shown in this one answer only'),
});

export const consoleView = z.object({
  authority: z.url().describe('Issuer of the tokens that this API takes'),
  clientId: z.string().describe('Public client with which the portal signs members in'),
  signUpUrl: z.url().nullable().describe('Where strangers sign up; null where they cannot'),
});
export type ConsoleView = z.infer<typeof consoleView>;

/** Cursor paging: at most `limit` items that come after the cursor `after`. */
export const pageQuery = z.strictObject({
  limit: z.coerce.number().int().min(1).max(200).default(50).describe('How many at most'),
  after: z.string().max(200).optional().describe('The `next` of the page before; from the beginning if absent'),
});
export type PageQuery = z.infer<typeof pageQuery>;

/** Of a page of what is called something: a part of what it is called. */
export const searchedFor = z.string().trim().min(1).max(100).refine(isPlainText, 'must not hold control characters').optional();

export interface Page<T> {
  items: T[];
  next: string | null;
}
