import type { z } from 'zod';
import * as of from '@latchkey/contracts';

/*
 * What bodies and answers look like, for the OpenAPI document: an example of each by its schema. The compiler and
 * openapi.spec.ts hold them to the schemas.
 */

/** Every schema that has an example. */
export const examples = new Map<z.ZodType, unknown>();

function show<Schema extends z.ZodType>(schema: Schema, example: z.input<Schema>): void {
  examples.set(schema, example);
}

const id = (end: number) => `01890c5e-7f3a-7000-8000-${String(end).padStart(12, '0')}`;
const createdAt = '2026-03-02T09:30:00.000Z';
const lastUsedAt = '2026-03-09T14:05:12.000Z';
const inAYear = '2027-03-02T09:30:00.000Z';

const permissions: of.RepositoryPermission[] = ['content:read', 'content:write'];
const redirectUris = ['https://app.example.com/callback'];
const postLogoutRedirectUris = ['https://app.example.com/'];
const [app, tool, pipeline, ownCredential] = [
  'app_q1Zr8sVw3TkLm5Xb',
  'tool_p7Yt2nHc9RfKd4Qe',
  'tenant_m3Ws6jBv8GxNz1Ua',
  'member_k9Pd4fTr7HyCq2Lo',
];
const jwk = {
  kty: 'EC',
  crv: 'P-256',
  x: 'MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4',
  y: '4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM',
} as const;

const cutoff = { id: id(1), effectiveAt: lastUsedAt };
const secret = { id: id(2), value: 'lk_live_cs_…', hint: 'lk_live_cs_…8fQz', createdAt, expiresAt: null };
const listedSecret = {
  id: id(2),
  hint: secret.hint,
  createdAt,
  expiresAt: null,
  lastUsedAt,
  endedAt: null,
  status: 'live' as const,
  cutoffId: null,
};
show(of.cutoffView, cutoff);
show(of.newSecretView, secret);
show(of.secretView, listedSecret);
show(of.regenerateSecretBody, { overlapSeconds: 86_400 });
show(of.regeneratedSecretView, { secret, cutoff });
show(of.createSecretBody, { expiresAt: inAYear });
show(of.revokedSecretView, { cutoff });

const branding = {
  accentColor: '#2450c8',
  shownAs: { light: '#2450c8', dark: '#6d8bdc' },
  logoUrl: 'https://acme.auth.example.com/branding/logo/5f3a9c1e',
};
const repository = {
  id: id(3),
  slug: 'acme',
  name: 'Acme',
  environment: 'production' as const,
  status: 'active' as const,
  authorityUrl: 'https://acme.auth.example.com',
  repositoryUrl: 'https://acme.example.com',
  appClient: { clientId: app, redirectUris },
  toolClient: { clientId: tool },
  allowedOrigins: ['https://app.example.com'],
  accessTokenSeconds: 3600,
  toolTokenSeconds: 3600,
  newDeviceMails: true,
  branding,
  refreshTokenSeconds: 2_592_000,
  sessionSeconds: 1_209_600,
  signingAlgorithm: 'ES256' as const,
  deviceFlow: false,
  secondFactor: 'optional' as const,
  createdAt,
  deletedAt: null,
};
show(of.createRepositoryBody, { slug: 'acme', name: 'Acme', environment: 'production', redirectUris });
show(of.updateRepositoryBody, { allowedOrigins: ['https://app.example.com'], secondFactor: 'forced' });
show(of.repositoryView, repository);
show(of.provisionedRepositoryView, { ...repository, toolClient: { clientId: tool, secret } });
show(of.brandingView, branding);
show(of.logoBody, { image: 'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==' });
show(of.slugAvailabilityView, { slug: 'acme', available: true, fault: null });

const domain = {
  domain: 'login.acme.com',
  status: 'verified' as const,
  record: { type: 'TXT' as const, name: '_latchkey.login.acme.com', value: 'latchkey-domain=3kQm9Zs2VbXr7TwP' },
  authorityUrl: 'https://login.acme.com',
  verifiedAt: createdAt,
  seenAt: lastUsedAt,
  lostSince: null,
};
show(of.setDomainBody, { domain: domain.domain });
show(of.domainView, domain);

const signingKey = {
  kid: 'hV2qk8',
  algorithm: 'ES256' as const,
  status: 'signing' as const,
  createdAt,
  signsAt: createdAt,
  retiredAt: null,
};
show(of.rotateKeyBody, { afterSeconds: 3600 });
show(of.signingKeyView, signingKey);
show(of.rotatedKeyView, { key: { ...signingKey, status: 'published', signsAt: '2026-03-02T10:30:00.000Z' }, cutoff: null });

const google = { id: 'google', name: 'Google', clientId: '1234.apps.googleusercontent.com', emailDomains: ['acme.com'] };
const provider = {
  ...google,
  kind: 'google' as const,
  issuer: 'https://accounts.google.com',
  hasClientSecret: true,
  allowSignUp: true,
  trustsSecondFactor: false,
  enabled: true,
  redirectUri: 'https://acme.auth.example.com/federation/callback/google',
  linkedUsers: 12,
  createdAt,
};
show(of.createIdentityProviderBody, { ...google, kind: 'google', clientSecret: 'what Google gave you', allowSignUp: true });
show(of.updateIdentityProviderBody, { enabled: false });
show(of.identityProviderView, provider);
show(of.updatedIdentityProviderView, { ...provider, enabled: false, endedSessions: 3, cutoff });
show(of.deletedIdentityProviderView, { endedSessions: 3, cutoff });

const client = {
  clientId: tool,
  kind: 'tool' as const,
  name: 'Nightly import',
  redirectUris: [],
  postLogoutRedirectUris: [],
  permissions,
  userId: 1000,
  jwksUri: null,
  backchannelLogoutUri: null,
  createdAt,
};
show(of.createClientBody, { kind: 'tool', name: client.name, permissions });
show(of.updateClientBody, { redirectUris, postLogoutRedirectUris });
show(of.clientView, client);
show(of.createdClientView, { ...client, secret });
show(of.updatedClientView, client);
show(of.consumerView, {
  consumer: 'nightly-import/2.1',
  address: '192.0.2.7',
  secretId: secret.id,
  secretHint: secret.hint,
  outcome: 'replaced',
  uses: 14,
  firstUsedAt: createdAt,
  lastUsedAt,
});
const clientKey = { id: id(4), kid: 'import-2026', algorithms: ['ES256'], fetched: false, createdAt, endedAt: null };
show(of.createClientKeyBody, { jwk: { ...jwk, kid: clientKey.kid } });
show(of.clientKeyView, clientKey);

const apiKey = {
  id: id(5),
  hint: 'lk_live_ak_…t4Wm',
  name: 'Spreadsheet',
  permissions,
  userId: 1000,
  createdAt,
  expiresAt: inAYear,
  lastUsedAt,
};
show(of.createApiKeyBody, { name: apiKey.name, permissions: ['content:read'], expiresAt: inAYear });
show(of.apiKeyView, apiKey);
show(of.createdApiKeyView, { ...apiKey, value: 'lk_live_ak_…' });

const person = { loginName: 'anna', name: 'Anna Arnold', email: 'anna@example.com' };
show(of.createUserBody, { ...person, administrator: false });
show(of.updateUserBody, { name: 'Anna Berg', enabled: true });
show(of.userView, { ...person, id: 1000, emailVerified: true, enabled: true, hasPassword: true, createdAt });
show(of.userSessionView, { id: 'Vx3kP0', userAgent: 'Mozilla/5.0 …', address: '192.0.2.7', signedInAt: createdAt, lastUsedAt });
show(of.factorsView, {
  totp: { createdAt },
  recoveryCodesLeft: 8,
  passkeys: [{ id: id(6), name: 'Laptop', synced: true, createdAt, lastUsedAt }],
});

const tenant = {
  id: id(7),
  name: 'Acme Ltd',
  webhook: { url: 'https://siem.example.com/latchkey' },
  memberCredentials: of.defaultMemberCredentialPolicy,
  mfaEnforced: false,
  createdAt,
};
show(of.createTenantBody, { name: tenant.name });
show(of.ownTenantView, { id: tenant.id, name: tenant.name, role: 'owner', memberId: id(8), joinedAt: createdAt });
show(of.updateTenantBody, { webhook: tenant.webhook, mfaEnforced: true });
show(of.tenantView, tenant);
show(of.updatedTenantView, { ...tenant, webhookSigningSecret: 'whsec_…' });
show(of.transferOwnershipBody, { memberId: id(8) });
const member = { ...person, id: id(8), role: 'admin' as const, enabled: true, federated: false, hasCredential: false, createdAt };
show(of.updateMemberBody, { role: 'developer' });
show(of.memberView, member);
show(of.updatedMemberView, { ...member, role: 'developer' });
const invitation = { id: id(9), role: 'developer' as const, email: 'bert@example.com', createdAt, expiresAt: '2026-03-09T09:30:00.000Z' };
show(of.createInvitationBody, { role: invitation.role, email: invitation.email });
show(of.invitationView, invitation);
show(of.createdInvitationView, { ...invitation, link: 'https://console.auth.example.com/invitation/…' });

const credential = { clientId: pipeline, name: 'Deployment', permissions: ['repositories:read', 'repositories:write'], createdAt };
show(of.createTenantCredentialBody, {
  name: credential.name,
  permissions: ['repositories:read', 'repositories:write'],
  expiresAt: inAYear,
});
show(of.tenantCredentialView, { ...credential, secrets: [listedSecret] });
show(of.createdTenantCredentialView, { ...credential, secrets: [{ ...listedSecret, lastUsedAt: null }], secret });
const own = {
  clientId: ownCredential,
  hint: secret.hint,
  createdAt,
  expiresAt: inAYear,
  lastUsedAt,
  status: 'active' as const,
  refusal: null,
};
show(of.memberCredentialView, own);
show(of.createdMemberCredentialView, { ...own, lastUsedAt: null, secret: { ...secret, expiresAt: inAYear } });
show(of.meView, {
  kind: 'member',
  id: member.id,
  tenantId: tenant.id,
  permissions: [...of.permissionsOfRole.admin],
  member: { ...person, role: member.role },
  credentialRefusal: 'role',
});

const webhook = {
  id: id(10),
  url: 'https://siem.example.com/latchkey',
  description: 'Our SIEM',
  events: ['client.secret.regenerated', 'user.disabled'] as of.CreateWebhookBody['events'],
};
const webhookState = {
  enabled: true,
  disabledBecause: null,
  disabledAt: null,
  failingSince: null,
  previousSecretEndsAt: null,
  encryptionKey: null,
  encryptionKeyThumbprint: null,
  createdAt,
};
show(of.createWebhookBody, { url: webhook.url, description: webhook.description, events: webhook.events });
show(of.updateWebhookBody, { events: null, enabled: true });
show(of.webhookView, { ...webhook, ...webhookState });
show(of.createdWebhookView, { ...webhook, ...webhookState, signingSecret: 'whsec_…' });
show(of.rotateWebhookBody, { overlapSeconds: 86_400 });
show(of.rotatedWebhookView, { signingSecret: 'whsec_…', previousSecretEndsAt: '2026-03-03T09:30:00.000Z' });
show(of.deliveryView, {
  id: id(11),
  event: 'webhook.test',
  status: 'delivered',
  createdAt,
  deliveredAt: '2026-03-02T09:30:00.120Z',
  failedAt: null,
  attempts: 1,
  log: [{ at: '2026-03-02T09:30:00.120Z', statusCode: 204, durationMillis: 48, error: null }],
  payload: { type: 'webhook.test', timestamp: createdAt, data: { repositoryId: repository.id, webhookId: webhook.id } },
});

const proof = {
  ...cutoff,
  kind: 'secret.regenerated',
  clientId: tool,
  userId: null,
  withdrawnAt: null,
  nodes: [{ id: id(12), node: 'authority-1', kind: 'authority' as const, refusedAfterMillis: 4.2 }],
  propagation: [{ webhookId: webhook.id, deliveryId: id(11), target: webhook.url, state: 'done' as const, afterMillis: 120 }],
};
show(of.cutoffProofView, proof);
show(of.deletedTenantView, { id: tenant.id, deletedAt: lastUsedAt, repositories: 1, credentials: 2, cutoffs: [proof] });
show(of.canaryView, {
  violations: 0,
  nodes: [{ id: id(12), node: 'authority-1', kind: 'authority', startedAt: createdAt, seenAt: lastUsedAt }],
  runs: [],
});
show(of.auditEventView, {
  id: id(13),
  at: lastUsedAt,
  actor: { kind: 'member', id: member.id, name: person.name },
  action: 'secret.regenerated',
  repositoryId: repository.id,
  repository: repository.slug,
  target: { kind: 'secret', id: secret.id, name: client.name },
  requestId: id(14),
  address: '192.0.2.7',
  details: { cutoffId: cutoff.id },
});
show(of.consoleView, {
  authority: 'https://console.auth.example.com',
  clientId: 'app_portal',
  signUpUrl: 'https://console.auth.example.com/sign-up',
});
show(of.usageView, {
  from: '2026-02-08',
  to: '2026-03-09',
  items: [{ day: '2026-03-09', kind: 'token', repository: 'acme', credentialId: tool, credential: client.name, reason: null, count: 96 }],
});
