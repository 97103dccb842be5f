import { generateSealedKey, makeSecret, newClientId, type FreshSecret, type KeyRing, type SealedKey } from '@latchkey/credentials';
import { wellKnown } from '@latchkey/content';
import { newId, type EntityManager } from '@latchkey/database';

/** What no two repositories have in common. Secrets are in the clear, for whoever asked for a sample. */
export interface Fresh {
  id: string;
  slug: string;
  name: string;
  appClientId: string;
  toolClientId: string;
  secret: FreshSecret;
  key: SealedKey;
  auditId: string;
}

/** Makes what another repository needs of its own, by the functions that provisioning calls. About 0.2 ms of a core. */
export async function makeFresh(keys: { peppers: KeyRing; encryption: KeyRing }, slug: string, name: string): Promise<Fresh> {
  return {
    id: newId(),
    slug,
    name,
    appClientId: newClientId('app'),
    toolClientId: newClientId('tool'),
    secret: makeSecret(keys.peppers, 'production'),
    key: await generateSealedKey(keys.encryption, 'ES256'),
    auditId: newId(),
  };
}

/** A repository that was provisioned, of which others are copies. */
export interface Original {
  id: string;
  tenantId: string;
  appClientId: string;
  toolClientId: string;
}

/**
 * Every table that a new repository has rows in, in the order in which their constraints let them be written, with what a copy
 * has of its own. `fresh` is that, `original` the row that is copied; every other column is the original's.
 */
const copied: Record<string, Record<string, string>> = {
  repository_slugs: { slug: 'fresh.slug' },
  repositories: { id: 'fresh.repository_id', slug: 'fresh.slug', name: 'fresh.name' },
  // Triggers count the nodes as they are written.
  content_counters: { contents: '0', users: '0', groups: '0' },
  repository_users: {},
  content_nodes: {
    fields: `CASE WHEN original.id = ${wellKnown.root} THEN original.fields || jsonb_build_object('DisplayName', fresh.name) ELSE original.fields END`,
  },
  content_group_members: {},
  content_permissions: {},
  clients: { id: clientOf('id') },
  secret_versions: {
    client_id: clientOf('client_id'),
    id: 'fresh.secret_id',
    hash: `decode(fresh.secret_hash, 'hex')`,
    pepper_id: 'fresh.pepper_id',
    hint: 'fresh.secret_hint',
  },
  signing_keys: {
    kid: `fresh.public_jwk ->> 'kid'`,
    public_jwk: 'fresh.public_jwk',
    private_key: `decode(fresh.private_key, 'hex')`,
    encryption_key_id: 'fresh.encryption_key_id',
  },
  audit_events: {
    id: 'fresh.audit_id',
    target_id: 'fresh.repository_id::text',
    details: `original.details || jsonb_build_object('slug', fresh.slug)`,
  },
};

function clientOf(column: string): string {
  return `CASE original.${column} WHEN $4 THEN fresh.app_client_id WHEN $5 THEN fresh.tool_client_id END`;
}

/** The statements that copy a repository, made from the columns that the tables have now. */
export interface Copier {
  /** Writes copies of the original, each with what is fresh of it: one statement for each table, through every constraint. */
  copy(tx: EntityManager, original: Original, copies: Fresh[]): Promise<void>;
}

/**
 * Learns from the database which columns there are.
 *
 * @throws Error from `copy` when provisioning has written to a table that is not known here: its rows would be missing.
 */
export async function openCopier(tx: EntityManager): Promise<Copier> {
  const columns = await tx.query<{ table: string; column: string; generated: boolean }[]>(
    `SELECT c.relname AS "table", a.attname AS "column", a.attgenerated <> '' AS generated
     FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
     WHERE c.relnamespace = 'latchkey'::regnamespace AND c.relkind = 'r' AND a.attnum > 0 AND NOT a.attisdropped
       AND has_table_privilege(c.oid, 'SELECT')
     ORDER BY a.attnum`,
  );
  const ofRepositories = new Set(columns.flatMap(({ table, column }) => (column === 'repository_id' ? [table] : [])));
  const others = [...ofRepositories].filter((table) => !(table in copied));
  const statements = Object.entries(copied).map(([table, own]) => {
    const names = columns.flatMap((each) => (each.table === table && !each.generated ? [each.column] : []));
    const value = (name: string) => own[name] ?? (name === 'repository_id' ? 'fresh.repository_id' : `original.${name}`);
    const owner = table === 'repositories' ? 'id' : 'repository_id';
    return { table, text: statement(table, owner, names, names.map(value)) };
  });
  let checked = false;
  return {
    async copy(tx, original, copies) {
      if (!checked) await refuseUnknownRows(tx, others, original);
      checked = true;
      if (copies.length === 0) return;
      const rows = JSON.stringify(copies.map(rowOf));
      for (const { table, text } of statements) {
        const clients = text.includes('$4') ? [original.appClientId, original.toolClientId] : [];
        await tx.query(text, [original.id, original.tenantId, rows, ...clients]).catch((error: unknown) => {
          throw new Error(`the rows of ${table} could not be copied`, { cause: error });
        });
      }
    },
  };
}

const statement = (table: string, owner: string, names: string[], values: string[]) => `
  INSERT INTO ${table} (${names.join(', ')})
  SELECT ${values.join(', ')}
  FROM ${table} original CROSS JOIN jsonb_to_recordset($3) AS fresh (
    repository_id uuid, slug text, name text, app_client_id text, tool_client_id text, secret_id uuid, secret_hash text,
    pepper_id text, secret_hint text, public_jwk jsonb, private_key text, encryption_key_id text, audit_id uuid)
  WHERE original.tenant_id = $2 AND original.${owner} = $1`;

function rowOf({ id, slug, name, appClientId, toolClientId, secret, key, auditId }: Fresh) {
  return {
    repository_id: id,
    slug,
    name,
    app_client_id: appClientId,
    tool_client_id: toolClientId,
    secret_id: secret.id,
    secret_hash: secret.hash.toString('hex'),
    pepper_id: secret.pepperId,
    secret_hint: secret.secret.hint,
    public_jwk: key.publicJwk,
    private_key: key.privateKey.toString('hex'),
    encryption_key_id: key.encryptionKeyId,
    audit_id: auditId,
  };
}

async function refuseUnknownRows(tx: EntityManager, tables: string[], { id }: Original): Promise<void> {
  const tests = tables.map((table) => `SELECT '${table}' AS "table" WHERE EXISTS (SELECT FROM ${table} WHERE repository_id = $1)`);
  const found = await tx.query<{ table: string }[]>(tests.join(' UNION ALL '), [id]);
  if (found.length > 0)
    throw new Error(`a new repository has rows that cannot be copied yet: ${found.map(({ table }) => table).join(', ')}`);
}
