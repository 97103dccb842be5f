export { AuditTrail } from './audit-trail.js';
export { findLogo, logoPath, Logos } from './branding.js';
export { resolveActor } from './callers.js';
export { Canary, type CanaryClient, type CanaryFlight, type LiveNode } from './canary.js';
export { CustomDomains, lookAfterDomains, textRecords, type TextRecords } from './custom-domains.js';
export { Cutoffs, type CutoffsOf } from './cutoffs.js';
export { IdentityLinks, type LinkedUser } from './identity-links.js';
export { federationCallbackPath, IdentityProviders } from './identity-providers.js';
export {
  addTenant,
  audienceOf,
  Console,
  consoleSlug,
  findConsole,
  install,
  makeTenant,
  restoreTenant,
  type NewTenant,
  type InstallationOptions,
} from './installation.js';
export { createInvitation, Invitations, type OpenInvitation } from './invitations.js';
export { MemberCredentials } from './member-credentials.js';
export { MemberInvitations } from './member-invitations.js';
export { Members } from './members.js';
export { Refusals, type Refusal } from './refusals.js';
export { remind } from './reminders.js';
export { MemberAccounts } from './member-accounts.js';
export { endLink, listLinks } from './own-links.js';
export { OwnAccounts } from './own-account.js';
export { type OwnAct } from './own-act.js';
export { PasswordRefused } from './password-policy.js';
export { purgeDeleted } from './purge.js';
export { provision, Repositories } from './repositories.js';
export { hasFactor, SecondFactors, type AddedFactor, type FactorsOfUser } from './second-factors.js';
export { OwnTenants } from './own-tenants.js';
export { TenantLimits } from './tenant-limits.js';
export { TenantDeletion } from './tenant-deletion.js';
export { TenantExport } from './tenant-export.js';
export { SignUps } from './sign-ups.js';
export { Slugs } from './slugs.js';
export { Usage } from './usage.js';
export { TenantCredentials } from './tenant-credentials.js';
export { recordSignIn } from './sign-ins.js';
export { Tenants } from './tenants.js';
export { endAppAccess, endSession, listAppsOfUser, listSessions, UserSessions } from './user-sessions.js';
export { deleteWithPeople } from './deletion.js';
export { changePerson, createPerson, Users } from './users.js';
export { refusePasswordAt } from './password-policy.js';
export { UserFactors } from './user-factors.js';
export { propagationOf, WebhookDeliveries, type Propagation } from './webhook-deliveries.js';
export { Webhooks } from './webhooks.js';
