import { machineActor, type Actor } from '@latchkey/access';
import { repositoryPermissions, tenantPermissions } from '@latchkey/contracts';
import { Blobs, listUsers, readCollection, readNode, wellKnown, type Caller } from '@latchkey/content';
import {
  ApiKeys,
  checkPassword,
  Clients,
  ClientSecrets,
  CredentialCheck,
  findByName,
  RepositoryDirectory,
  RepositoryKeys,
  SigningKeys,
  UseRecorder,
  warnOfLackingPeppers,
  type KeyRing,
  type KnownRepository,
} from '@latchkey/credentials';
import { connectForChecks, newId, type Database, type Pool } from '@latchkey/database';
import { relayBatch } from '@latchkey/jobs/worker';
import { createLogger, type AddressTemplate } from '@latchkey/runtime';
import {
  AuditTrail,
  Canary,
  Console,
  Cutoffs,
  MemberInvitations,
  Members,
  purgeDeleted,
  Repositories,
  Slugs,
  TenantCredentials,
  Tenants,
  Usage,
  Users,
  UserSessions,
  WebhookDeliveries,
  Webhooks,
} from '@latchkey/tenancy';
import { fetchKeys } from '../fetch-client-keys.js';
import { recoverJobs } from '../recover-jobs.js';
import { remindOfCredentials } from '../reminders.js';
import { sweepRecords } from '../sweep-records.js';
import { tendKeys } from '../tend-keys.js';

/** A repository of a tenant in an installation with many, and what the product's processes know. */
export interface Surroundings {
  /** Of the apps' login. */
  url: string;
  peppers: KeyRing;
  /** With two keys, so that the worker looks for what lies under the earlier one. */
  encryption: KeyRing;
  authorityUrls: AddressTemplate;
  repositoryUrls: AddressTemplate;
  tenantId: string;
  slug: string;
  toolClientId: string;
  /** What a connection is called in `pg_stat_activity`. */
  applicationName: string;
}

/** What a piece of work is done with. */
export interface Tools {
  database: Database;
  /** As the check role. */
  checks: Pool;
  console: KnownRepository;
  repository: KnownRepository;
  actor: Actor;
}

type Work = (tools: Tools) => Promise<unknown>;

/** Everything that the product does all day, by name: what no amount of other repositories may make slower. */
export function everydayWork(around: Surroundings): Record<string, Work> {
  return { ...hotPaths(around), ...lists(around), ...changes(around), ...jobs(around) };
}

function hotPaths({ slug, toolClientId, peppers, encryption }: Surroundings): Record<string, Work> {
  const ask = ({ checks, repository }: Tools, more: object) => new CredentialCheck(checks).ask({ repositoryId: repository.id, ...more });
  const call = ({ checks }: Tools, text: string, values: unknown[]) => checks.query(text, values);
  return {
    'find a repository': ({ checks }) => new RepositoryDirectory(checks).find(slug),
    'find a repository by its domain': ({ checks }) => new RepositoryDirectory(checks).findByDomain('nobody.example.com'),
    'check a secret': (tools) => ask(tools, { clientId: toolClientId, withSecrets: true }),
    'check a token': (tools) => ask(tools, { clientId: toolClientId, versionId: newId(), tokenId: 't' }),
    'check a token of a person': (tools) => ask(tools, { userId: 1000, grantId: 'g', tokenId: 't' }),
    'check an API key': (tools) => ask(tools, { keyHash: Buffer.alloc(32) }),
    'look for lacking peppers': ({ database }) => warnOfLackingPeppers(database, peppers, { warn: () => undefined }),
    'load the signing keys': ({ database, repository }) => new SigningKeys(database).privateKeys(repository, encryption),
    'load a public key': ({ database, repository }) => new SigningKeys(database).publicKey(repository, 'x'),
    'read a record': ({ database, repository }) =>
      database.call('SELECT * FROM find_oidc_records($1, $2, $3, $4, NULL)', [repository.id, 'Session', 'id', 'x']),
    'write a record': ({ database, repository }) =>
      database.call('SELECT write_oidc_records($1, $2, $3, $4, $5)', [
        repository.id,
        null,
        null,
        null,
        JSON.stringify([{ kind: 'Session', id: 'x', payload: {} }]),
      ]),
    'use up a record': ({ database, repository }) =>
      database.call('SELECT write_oidc_records($1, $2, $3, $4, NULL)', [repository.id, 'github', 'RefreshToken', 'x']),
    'sign in': async ({ database, repository }) => checkPassword(await findByName(database, repository, 'person-1'), 'wrong'),
    'a node beats': async (tools) => {
      const id = newId();
      await call(tools, `SELECT beat_node($1, 'n', 'authority', 'http://localhost')`, [id]);
      await call(tools, 'SELECT leave_node($1)', [id]);
    },
    'record a use': async ({ checks, repository }) => {
      let fault: unknown;
      const recorder = new UseRecorder(checks, (error) => (fault = error));
      const use = { credentialId: toolClientId, versionId: newId(), outcome: 'accepted' as const, consumer: 'c', address: 'a' };
      recorder.record({ repositoryId: repository.id, ...use });
      await recorder.close();
      if (fault) throw fault as Error;
    },
    'record a call': (tools) =>
      call(tools, `SELECT record_calls(ARRAY[$1::uuid], ARRAY[now()], ARRAY[$2], ARRAY[12], ARRAY[1::bigint], ARRAY[0::bigint])`, [
        tools.repository.id,
        toolClientId,
      ]),
    'read a node': ({ database, repository }) =>
      database.read({ repositoryId: repository.id }, (tx) => readNode(tx, callerOf(repository), { id: wellKnown.content })),
    'read a collection': ({ database, repository }) =>
      database.read({ repositoryId: repository.id }, (tx) => {
        const query = { select: undefined, orderBy: [], top: 100, skip: 0 };
        return readCollection(tx, callerOf(repository), { id: wellKnown.portal }, query as never);
      }),
  };
}

function callerOf({ tenantId, id: repositoryId }: KnownRepository): Caller {
  return { tenantId, repositoryId, userId: wellKnown.publicAdmin, permissions: new Set(repositoryPermissions) };
}

function lists(around: Surroundings): Record<string, Work> {
  const { slug, toolClientId, peppers, encryption, authorityUrls } = around;
  const page = { limit: 50 };
  const directory = ({ checks }: Tools) => new RepositoryDirectory(checks);
  const audit =
    (filter: object): Work =>
    (tools) =>
      new AuditTrail(tools.database, directory(tools)).list(tools.actor, { ...page, ...filter });
  const long = new Date(Date.now() - 30 * 86_400_000).toISOString();
  return {
    'list repositories': ({ database, actor }) => repositories(database, around).list(actor, page),
    'list deleted repositories': ({ database, actor }) => repositories(database, around).list(actor, { ...page, deleted: 'true' }),
    'search repositories': ({ database, actor }) => repositories(database, around).list(actor, { ...page, search: 'nowhere' }),
    'show a repository': ({ database, actor }) => repositories(database, around).get(actor, slug),
    'look whether a slug is free': ({ database, actor }) => new Slugs(database).look(actor, 'seed-000001'),
    'describe the console': (tools) =>
      new Console({ database: tools.database, directory: directory(tools), authorityUrls, signUp: false }).describe(),
    'list clients': ({ database, actor }) => new Clients(database, peppers).list(actor, slug, page),
    'list secrets': ({ database, actor }) => new ClientSecrets(database, peppers).list(actor, slug, toolClientId),
    'list consumers': ({ database, actor }) => new ClientSecrets(database, peppers).consumers(actor, slug, toolClientId),
    'list API keys': ({ database, actor }) => new ApiKeys(database, peppers).list(actor, slug, wellKnown.publicAdmin),
    'list signing keys': ({ database, actor }) => new RepositoryKeys(database, encryption).list(actor, slug),
    'list users': ({ database, actor }) => new Users(database, peppers, authorityUrls).list(actor, slug, page),
    'search users': ({ database, actor }) => new Users(database, peppers, authorityUrls).list(actor, slug, { ...page, search: 'nowhere' }),
    'list users in the tree': ({ database, repository }) =>
      database.read({ repositoryId: repository.id }, (tx) => listUsers(tx, { repositoryId: repository.id, limit: 50 })),
    'list sessions': ({ database, actor }) => new UserSessions(database).list(actor, slug, 1000),
    'list cut-offs of a repository': ({ database, actor }) => new Cutoffs(database).list(actor, { slug }, page),
    'list cut-offs of a tenant': ({ database, actor }) => new Cutoffs(database).list(actor, {}, page),
    'list webhooks': ({ database, actor }) => new Webhooks(database, encryption).list(actor, slug, page),
    'list deliveries': async ({ database, actor }) => {
      const webhook = { url: 'https://receiver.example.com/hook', description: '' };
      const { id } = await new Webhooks(database, encryption).create(actor, slug, webhook as never);
      await new WebhookDeliveries(database).list(actor, slug, id, page);
      await new WebhookDeliveries(database).list(actor, slug, id, { ...page, status: 'failed' });
    },
    'list members': (tools) => new Members(tools.database, directory(tools)).list(tools.actor, page),
    'list invitations': (tools) => new MemberInvitations(tools.database, peppers, directory(tools), authorityUrls).list(tools.actor, page),
    'list tenant credentials': (tools) => new TenantCredentials(tools.database, peppers, directory(tools)).list(tools.actor),
    'show the tenant': ({ database, actor }) => new Tenants(database, new Webhooks(database, encryption)).get(actor),
    'read the audit trail': audit({}),
    'read the audit trail by action': audit({ action: 'repository.created' }),
    'read the audit trail by kind': audit({ action: 'secret.*' }),
    'read the audit trail by actor': audit({ actor: '1000' }),
    'read the audit trail by target': audit({ target: '1000' }),
    'read the audit trail by time': audit({ from: long, to: new Date().toISOString() }),
    'read the audit trail of a repository': audit({ repository: slug }),
    'read usage': (tools) => new Usage(tools.database, directory(tools)).read(tools.actor, { days: 30 }),
    'read usage of a repository': (tools) => new Usage(tools.database, directory(tools)).read(tools.actor, { days: 30, repository: slug }),
    'report of the canary': ({ database, actor }) => new Canary(database).report(actor),
  };
}

function changes(around: Surroundings): Record<string, Work> {
  const { slug, toolClientId, peppers } = around;
  const fresh = () => `fresh-${newId().slice(-12)}`;
  return {
    provision: ({ database, actor }) =>
      repositories(database, around).create(actor, { slug: fresh(), name: 'Fresh', environment: 'production' }),
    regenerate: ({ database, actor }) => new ClientSecrets(database, peppers).regenerate(actor, slug, toolClientId, { overlapSeconds: 0 }),
    'suspend and resume': async ({ database, actor }) => {
      await repositories(database, around).suspend(actor, slug);
      await repositories(database, around).resume(actor, slug);
    },
    'delete and restore': async ({ database, actor }) => {
      await repositories(database, around).delete(actor, slug);
      await repositories(database, around).restore(actor, slug);
    },
  };
}

function jobs({ encryption }: Surroundings): Record<string, Work> {
  const log = createLogger('growth', 'silent');
  const run = { id: newId(), lastAttempt: false, signal: new AbortController().signal };
  const queue = { forgetFailed: async () => 0, missing: async () => [], add: async () => undefined };
  const config = {
    KEY_ENCRYPTION_KEYS: encryption,
    SIGNING_KEY_DAYS: 90,
    SIGNING_KEY_PUBLISH_SECONDS: 3_600,
    SIGNING_KEY_KEEP_DAYS: 30,
    PREPARED_KEYS: 0,
  };
  return {
    'relay jobs': ({ database }) => relayBatch(database, queue),
    'recover jobs': ({ database }) => recoverJobs({ database, queue, log })({}, run),
    'sweep records': ({ database }) =>
      sweepRecords({ database, blobs: new Blobs(database, undefined), queue, log, auditDays: 90 })({}, run),
    'purge a repository': async ({ database }) => {
      await deletedLongAgo(database, `repositories WHERE slug = 'seed-000003'`);
      const { repositories: purged } = await purgeDeleted(database, { ...run, batchSize: 10, maxBatches: 100 });
      if (purged.length !== 1) throw new Error('the repository is there still');
    },
    'purge a tenant': async ({ database }) => {
      await deletedLongAgo(database, `tenants WHERE id = (SELECT id FROM tenants WHERE name LIKE 'Tenant %' LIMIT 1)`);
      const { tenants: purged } = await purgeDeleted(database, { ...run, batchSize: 1_000, maxBatches: 100 });
      if (purged.length !== 1) throw new Error('the tenant is there still');
    },
    'remind of credentials': ({ database }) => remindOfCredentials({ database, log })({}, run),
    'tend signing keys': ({ database }) => tendKeys({ database, config, log })({}, run),
    'fetch the keys of clients': ({ database }) => fetchKeys({ database, allowPrivateAddresses: false, log })({}, run),
    'find where the canary flies': async ({ database }) => {
      await new Canary(database).clients();
      await new Canary(database).nodes();
    },
  };
}

/** Puts it where a purge finds it. */
async function deletedLongAgo(database: Database, which: `${'repositories' | 'tenants'} ${string}`): Promise<void> {
  const text = `UPDATE ${which.replace(' ', ` SET deleted_at = now() - interval '31 days' `)}`;
  await database.transaction('system', (tx) => tx.query(text));
}

function repositories(database: Database, { peppers, encryption, authorityUrls, repositoryUrls }: Surroundings): Repositories {
  return new Repositories({ database, peppers, encryption, authorityUrls, repositoryUrls });
}

/** Does one piece of work on connections of its own, and closes them, so that the server has counted what it read. */
export async function carryOutAlone(around: Surroundings, connect: () => Promise<Database>, work: Work): Promise<void> {
  const { url, applicationName, tenantId, slug } = around;
  const database = await connect();
  const checks = connectForChecks({ url, applicationName });
  try {
    const call = { requestId: newId(), address: '192.0.2.1' };
    const known = async (name: string) => (await new RepositoryDirectory(checks).find(name))!;
    const [console, repository] = [await known('console'), await known(slug)];
    await work({ database, checks, console, repository, actor: machineActor(tenantId, 'tenant_growth', tenantPermissions, call) });
  } finally {
    await checks.end();
    await database.close();
  }
}
