import { ContentCounter, ContentGroupMember, ContentNode, ContentPermission } from './content.js';
import {
  ApiKey,
  Client,
  ClientKey,
  CredentialUse,
  Cutoff,
  MailedLink,
  OidcRecord,
  PreparedKey,
  RepositoryUser,
  RevokedToken,
  SecretVersion,
  SigningKey,
} from './credentials.js';
import { FactorGuesses, Passkey, RecoveryCode, TotpSecret } from './factors.js';
import { CustomDomain, IdentityLink, IdentityProvider } from './federation.js';
import { CanaryRun, CutoffReport, Node } from './proof.js';
import { Mail, OutboxRow, Webhook, WebhookDelivery } from './propagation.js';
import { AuditEvent, IdempotencyKey, Invitation, Member, Reminder, Repository, RepositoryLogo, RepositorySlug, Tenant } from './tenancy.js';

export * from './content.js';
export * from './credentials.js';
export * from './factors.js';
export * from './federation.js';
export * from './proof.js';
export * from './propagation.js';
export * from './tenancy.js';

/** Every table, for the data source and for the test that compares them with the migrations. */
export const entities = [
  ApiKey,
  AuditEvent,
  CanaryRun,
  Client,
  ClientKey,
  ContentCounter,
  ContentGroupMember,
  ContentNode,
  ContentPermission,
  CredentialUse,
  CustomDomain,
  Cutoff,
  CutoffReport,
  FactorGuesses,
  IdempotencyKey,
  IdentityLink,
  IdentityProvider,
  Invitation,
  Mail,
  MailedLink,
  Member,
  Node,
  OidcRecord,
  OutboxRow,
  Passkey,
  PreparedKey,
  RecoveryCode,
  Reminder,
  Repository,
  RepositoryLogo,
  RepositorySlug,
  RepositoryUser,
  RevokedToken,
  SecretVersion,
  SigningKey,
  Tenant,
  TotpSecret,
  Webhook,
  WebhookDelivery,
];
