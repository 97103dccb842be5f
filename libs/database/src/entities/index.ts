import { ContentCounter, ContentGroupMember, ContentNode, ContentPermission } from './content.js';
import { Client, Cutoff, OidcRecord, RepositoryUser, RevokedToken, SecretVersion, SigningKey } from './credentials.js';
import { OutboxRow, Webhook, WebhookDelivery } from './propagation.js';
import { AuditEvent, IdempotencyKey, Invitation, Member, Repository, RepositorySlug, Tenant } from './tenancy.js';

export * from './content.js';
export * from './credentials.js';
export * from './propagation.js';
export * from './tenancy.js';

/** Every table, for the data source and for the test that compares them with the migrations. */
export const entities = [
  AuditEvent,
  Client,
  ContentCounter,
  ContentGroupMember,
  ContentNode,
  ContentPermission,
  Cutoff,
  IdempotencyKey,
  Invitation,
  Member,
  OidcRecord,
  OutboxRow,
  Repository,
  RepositorySlug,
  RepositoryUser,
  RevokedToken,
  SecretVersion,
  SigningKey,
  Tenant,
  Webhook,
  WebhookDelivery,
];
