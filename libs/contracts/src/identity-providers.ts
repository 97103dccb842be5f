import { z } from 'zod';
import { cutoffView, displayName, isPlainText, time } from './tenant-api.js';

/*
 * Bodies of the routes under `/v1/repositories/{slug}/identity-providers`: with whom outside people sign in.
 */

const identityProviderKinds = ['oidc', 'google', 'github'] as const;
export type IdentityProviderKind = (typeof identityProviderKinds)[number];

const id = z
  .string()
  .regex(/^[a-z][a-z0-9]*(?:-[a-z0-9]+)*$/, 'must be lower-case letters, digits and single hyphens, and begin with a letter')
  .max(40)
  .describe('Chosen by you and never changed: the end of the redirect URI, so that this is known before the provider asks for it');

/** Compared letter by letter with what discovery and ID tokens say, so it is kept as it was sent. */
const issuer = z
  .url({ protocol: /^https?$/ })
  .max(500)
  .refine((value) => {
    const url = URL.parse(value);
    return isPlainText(value) && !url?.username && !url?.password && !url?.search && !value.includes('#') && !value.includes('?');
  }, 'must have no user info, query or fragment');

const clientId = z.string().min(1).max(500).refine(isPlainText, 'must not hold control characters');
const clientSecret = z
  .string()
  .min(1)
  .max(2000)
  .refine(isPlainText, 'must not hold control characters')
  .describe('Never shown again. Without one the client is public');

const emailDomain = z
  .string()
  .toLowerCase()
  .max(253)
  .regex(/^(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z0-9-]{2,63}$/, 'must be a domain such as example.com');

const settings = {
  allowSignUp: z.boolean().describe('Whoever comes for the first time gets an account; otherwise only users who are linked come in'),
  emailDomains: z.array(emailDomain).max(100).describe('Sign-up only with a verified address in one of these; any if empty'),
  trustsSecondFactor: z.boolean().describe('Whoever comes from there proves no second factor here'),
  enabled: z.boolean(),
};

export const createIdentityProviderBody = z
  .strictObject({
    id,
    kind: z.enum(identityProviderKinds),
    name: displayName.optional().describe('On the button. Google or GitHub if absent; an OpenID provider must have one'),
    issuer: issuer.optional().describe("An OpenID provider's issuer. For github: a GitHub Enterprise Server; absent for google"),
    clientId,
    clientSecret: clientSecret.optional(),
    allowSignUp: settings.allowSignUp.default(false),
    emailDomains: settings.emailDomains.default([]),
    trustsSecondFactor: settings.trustsSecondFactor.default(false),
    enabled: settings.enabled.default(true),
  })
  .superRefine(({ kind, name, issuer: given, clientSecret: secret }, context) => {
    const fault = (path: string, message: string) => context.addIssue({ code: 'custom', path: [path], message });
    if (kind === 'oidc' && given === undefined) fault('issuer', 'is required of an OpenID provider');
    if (kind === 'oidc' && name === undefined) fault('name', 'is required of an OpenID provider');
    if (kind === 'google' && given !== undefined) fault('issuer', 'is known for google');
    if (kind !== 'oidc' && secret === undefined) fault('clientSecret', `is required by ${kind}`);
  });
export type CreateIdentityProviderBody = z.infer<typeof createIdentityProviderBody>;

/** The issuer cannot be changed: the users that are linked are users there. */
export const updateIdentityProviderBody = z.strictObject({
  name: displayName.optional(),
  clientId: clientId.optional(),
  clientSecret: clientSecret.optional(),
  allowSignUp: settings.allowSignUp.optional(),
  emailDomains: settings.emailDomains.optional(),
  trustsSecondFactor: settings.trustsSecondFactor.optional(),
  enabled: settings.enabled.optional().describe('false ends every session and token of those who came from there'),
});
export type UpdateIdentityProviderBody = z.infer<typeof updateIdentityProviderBody>;

export const identityProviderView = z.object({
  id: z.string(),
  kind: z.enum(identityProviderKinds),
  name: z.string(),
  issuer: z.string(),
  clientId: z.string(),
  hasClientSecret: z.boolean(),
  ...settings,
  redirectUri: z.url().describe('To be registered at the provider'),
  linkedUsers: z.int(),
  createdAt: time,
});
export type IdentityProviderView = z.infer<typeof identityProviderView>;

const endedSessions = z.int().describe('Sessions of those who had come from there; with each ended its grants and tokens');
export const updatedIdentityProviderView = identityProviderView.extend({ endedSessions, cutoff: cutoffView.optional() });
export type UpdatedIdentityProviderView = z.infer<typeof updatedIdentityProviderView>;
export const deletedIdentityProviderView = z.object({ endedSessions, cutoff: cutoffView });
export type DeletedIdentityProviderView = z.infer<typeof deletedIdentityProviderView>;
