import { audit, authorize, type Actor } from '@latchkey/access';
import type { Database } from '@latchkey/database';

/** One thing of a tenant, as a line of the export. */
export interface ExportedThing {
  /** What it is: tenant, member, repository, client, secret, user, webhook or content. */
  kind: string;
  [field: string]: unknown;
}

/** Things that one statement reads. */
const batchSize = 500;

/** Everything that a tenant has, for whoever leaves or wants a copy. The audit trail has an export of its own. */
export class TenantExport {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  /**
   * Reads it in batches as they are asked for, each as it is at that moment; one batch is in memory, and no transaction stays open
   * between two. Of credentials it has what the API shows: never a secret, a hash or a key.
   *
   * @throws Problem `forbidden`, before there is anything.
   */
  async read(actor: Actor): Promise<AsyncIterable<ExportedThing[]>> {
    authorize(actor, 'tenant:write');
    const { tenantId } = actor;
    await this.#database.transaction({ tenantId }, (tx) =>
      audit(tx, actor, { action: 'tenant.exported', targetKind: 'tenant', targetId: tenantId }),
    );
    return this.#batches(tenantId);
  }

  async *#batches(tenantId: string): AsyncIterable<ExportedThing[]> {
    const read = (kind: string, statement: string, values: unknown[]) =>
      this.#database.read({ tenantId }, async (tx) =>
        (await tx.query<object[]>(statement, values)).map((row): ExportedThing => ({ kind, ...row })),
      );
    yield await read('tenant', 'SELECT id, name, settings, created_at AS "createdAt" FROM tenants WHERE id = $1', [tenantId]);
    yield await read('member', members, []);
    yield await read('webhook', `${webhooks} WHERE tenant_id = $1 AND repository_id IS NULL AND deleted_at IS NULL`, [tenantId]);
    const repositories = await read('repository', ofTenant, [tenantId]);
    yield repositories;
    for (const { id } of repositories) {
      for (const [kind, statement] of Object.entries(ofRepository)) yield await read(kind, statement, [id]);
      for (const [kind, statement] of Object.entries(inBatches)) {
        let after: unknown = -1;
        for (;;) {
          const batch = await read(kind, statement, [id, after]);
          yield batch;
          if (batch.length < batchSize) break;
          after = batch.at(-1)?.['id'];
        }
      }
    }
  }
}

const members =
  'SELECT id, role, login_name AS "loginName", name, email, enabled, created_at AS "joinedAt" FROM tenant_members() ORDER BY id';

const ofTenant = `SELECT id, slug, name, environment, settings, created_at AS "createdAt", suspended_at AS "suspendedAt", deleted_at AS "deletedAt"
  FROM repositories WHERE tenant_id = $1 AND purge_began_at IS NULL ORDER BY id`;

const webhooks = 'SELECT repository_id AS "repositoryId", id, url, description, events, created_at AS "createdAt" FROM webhooks';

const ofRepository = {
  client: `SELECT repository_id AS "repositoryId", id AS "clientId", kind AS "clientKind", name, redirect_uris AS "redirectUris",
      post_logout_redirect_uris AS "postLogoutRedirectUris", permissions, user_id AS "userId", created_at AS "createdAt"
    FROM clients WHERE repository_id = $1 AND deleted_at IS NULL ORDER BY id`,
  secret: `SELECT repository_id AS "repositoryId", client_id AS "clientId", id, hint, created_at AS "createdAt", expires_at AS "expiresAt", ended_at AS "endedAt"
    FROM secret_versions WHERE repository_id = $1 ORDER BY id`,
  webhook: `${webhooks} WHERE repository_id = $1 AND deleted_at IS NULL ORDER BY id`,
};

const inBatches = {
  user: `SELECT repository_id AS "repositoryId", id, login_name AS "loginName", name, email, enabled, technical, created_at AS "createdAt"
    FROM repository_users WHERE repository_id = $1 AND id > $2 AND deleted_at IS NULL ORDER BY id LIMIT ${batchSize}`,
  content: `SELECT repository_id AS "repositoryId", id, parent_id AS "parentId", path, type, fields, version, created_at AS "createdAt",
      created_by AS "createdBy", modified_at AS "modifiedAt", modified_by AS "modifiedBy"
    FROM content_nodes WHERE repository_id = $1 AND id > $2 ORDER BY id LIMIT ${batchSize}`,
};
