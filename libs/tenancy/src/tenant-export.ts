import { audit, authorize, type Actor } from '@latchkey/access';
import { grantsOf } from '@latchkey/content';
import type { RepositoryDirectory } from '@latchkey/credentials';
import type { Database } from '@latchkey/database';
import { findConsole } from './installation.js';

/** One thing of a tenant, as a line of the export. */
export interface ExportedThing {
  /**
   * What it is: tenant, credential, member, webhook, repository, client, secret, publicKey (of a tool), domain, logo,
   * identityProvider, user, apiKey, content, group (who belongs to it) or permission (who may do what on a content).
   */
  kind: string;
  [field: string]: unknown;
}

/** Things that one statement reads. */
const batchSize = 500;

/** Everything that a tenant has, for whoever leaves or wants a copy. The audit trail has an export of its own. */
export class TenantExport {
  readonly #database: Database;
  readonly #directory: RepositoryDirectory;

  constructor(database: Database, directory: RepositoryDirectory) {
    this.#database = database;
    this.#directory = directory;
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
    const { id: consoleId } = await findConsole(this.#directory);
    yield await read('credential', `${clients} AND tenant_id = $2 AND kind = 'tenant' ORDER BY id`, [consoleId, tenantId]);
    yield await read('member', members, []);
    yield await read('webhook', `${webhooks} WHERE tenant_id = $1 AND repository_id IS NULL AND deleted_at IS NULL`, [tenantId]);
    const repositories = await read('repository', ofTenant, [tenantId]);
    yield repositories;
    for (const { id } of repositories) {
      for (const [kind, statement] of Object.entries(ofRepository)) yield await read(kind, statement, [id]);
      for (const [kind, { statement, first, show = (row: Row) => row }] of Object.entries(inBatches)) {
        let after: unknown = first;
        for (;;) {
          const batch = await read(kind, statement, [id, after]);
          yield batch.map((thing) => ({ kind, ...show(thing) }));
          if (batch.length < batchSize) break;
          after = batch.at(-1)?.['id'];
        }
      }
    }
  }
}

/** As JavaScript writes it, and so the rest of the export. */
const moment = (column: string) => `to_char(${column} AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')`;

const members =
  'SELECT id, role, login_name AS "loginName", name, email, enabled, created_at AS "joinedAt" FROM tenant_members() ORDER BY id';

const ofTenant = `SELECT id, slug, name, environment, settings, created_at AS "createdAt", suspended_at AS "suspendedAt", deleted_at AS "deletedAt"
  FROM repositories WHERE tenant_id = $1 AND purge_began_at IS NULL ORDER BY id`;

const webhooks = 'SELECT repository_id AS "repositoryId", id, url, description, events, created_at AS "createdAt" FROM webhooks';

const clients = `SELECT repository_id AS "repositoryId", id AS "clientId", kind AS "clientKind", name, redirect_uris AS "redirectUris",
    post_logout_redirect_uris AS "postLogoutRedirectUris", backchannel_logout_uri AS "backchannelLogoutUri", jwks_uri AS "jwksUri",
    permissions, user_id AS "userId", created_at AS "createdAt"
  FROM clients WHERE repository_id = $1 AND deleted_at IS NULL`;

const ofRepository = {
  client: `${clients} ORDER BY id`,
  secret: `SELECT repository_id AS "repositoryId", client_id AS "clientId", id, hint, created_at AS "createdAt", expires_at AS "expiresAt", ended_at AS "endedAt"
    FROM secret_versions WHERE repository_id = $1 ORDER BY id`,
  webhook: `${webhooks} WHERE repository_id = $1 AND deleted_at IS NULL ORDER BY id`,
  domain: `SELECT repository_id AS "repositoryId", domain, created_at AS "createdAt", verified_at AS "verifiedAt" FROM custom_domains WHERE repository_id = $1`,
  publicKey: `SELECT repository_id AS "repositoryId", client_id AS "clientId", id, kid, public_jwk AS "publicJwk", fetched,
      created_at AS "createdAt", ended_at AS "endedAt"
    FROM client_keys WHERE repository_id = $1 ORDER BY client_id, id`,
  logo: `SELECT repository_id AS "repositoryId", version, content_type AS "contentType", translate(encode(image, 'base64'), chr(10), '') AS base64, created_at AS "createdAt"
    FROM repository_logos WHERE repository_id = $1`,
  identityProvider: `SELECT repository_id AS "repositoryId", id, kind AS "providerKind", name, issuer, client_id AS "clientId", allow_sign_up AS "allowSignUp",
      email_domains AS "emailDomains", trusts_second_factor AS "trustsSecondFactor", enabled, created_at AS "createdAt"
    FROM identity_providers WHERE repository_id = $1 ORDER BY id`,
};

type Row = Record<string, unknown>;

/** What there may be much of. `$2` is the id after which a batch begins, and `first` what comes before all. */
const inBatches: Record<string, { first: unknown; statement: string; show?: (row: Row) => Row }> = {
  user: {
    first: -1,
    statement: `SELECT repository_id AS "repositoryId", id, login_name AS "loginName", name, email, enabled, technical, created_at AS "createdAt",
        (SELECT coalesce(json_agg(json_build_object('providerId', provider_id, 'subject', subject, 'createdAt', ${moment('l.created_at')})
            ORDER BY provider_id, subject), '[]')
          FROM identity_links l WHERE l.repository_id = u.repository_id AND l.user_id = u.id) AS identities,
        (SELECT created_at FROM totp_secrets t WHERE t.repository_id = u.repository_id AND t.user_id = u.id) AS "totpSince",
        (SELECT coalesce(json_agg(json_build_object('id', p.id, 'name', p.name, 'createdAt', ${moment('p.created_at')}) ORDER BY p.id), '[]')
          FROM passkeys p WHERE p.repository_id = u.repository_id AND p.user_id = u.id) AS passkeys
      FROM repository_users u WHERE repository_id = $1 AND id > $2 AND deleted_at IS NULL ORDER BY id LIMIT ${batchSize}`,
  },
  apiKey: {
    first: '00000000-0000-0000-0000-000000000000',
    statement: `SELECT repository_id AS "repositoryId", id, user_id AS "userId", name, hint, permissions, created_at AS "createdAt",
        expires_at AS "expiresAt", ended_at AS "endedAt"
      FROM api_keys WHERE repository_id = $1 AND id > $2 ORDER BY id LIMIT ${batchSize}`,
  },
  content: {
    first: -1,
    statement: `SELECT repository_id AS "repositoryId", id, parent_id AS "parentId", path, type, fields, version,
        cardinality(permission_path) > 1 AS "inheritsPermissions", created_at AS "createdAt", created_by AS "createdBy",
        modified_at AS "modifiedAt", modified_by AS "modifiedBy"
      FROM content_nodes WHERE repository_id = $1 AND id > $2 ORDER BY id LIMIT ${batchSize}`,
  },
  group: {
    first: -1,
    statement: `SELECT repository_id AS "repositoryId", group_id AS id, array_agg(member_id ORDER BY member_id) AS "memberIds"
      FROM content_group_members WHERE repository_id = $1 AND group_id > $2 GROUP BY repository_id, group_id ORDER BY group_id LIMIT ${batchSize}`,
  },
  permission: {
    first: -1,
    statement: `SELECT repository_id AS "repositoryId", node_id AS id,
        json_agg(json_build_object('identity_id', identity_id, 'bits', bits) ORDER BY identity_id) AS rows
      FROM content_permissions WHERE repository_id = $1 AND node_id > $2 GROUP BY repository_id, node_id ORDER BY node_id LIMIT ${batchSize}`,
    show: ({ rows, ...node }) => ({
      ...node,
      grants: (rows as { identity_id: number; bits: number }[])
        .flatMap(grantsOf)
        .map(({ permissions, ...grant }) => ({ ...grant, permissions: [...permissions] })),
    }),
  },
};
