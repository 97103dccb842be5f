import { isId, prepared, type EntityManager } from '@latchkey/database';

/** Something of a tenant, by what the audit trail and the counts of its use know of it. */
export interface Thing {
  /** As in the audit trail; `slug` for what a repository is called in addresses, `credential` for a client or an API key. */
  kind: string;
  id: string | null;
  /** Where it lies; null for what is the tenant's own, which lies in the console. */
  repositoryId: string | null;
}

/**
 * What things of a tenant are called now, in their order: null for what is gone, and for what has no name. Each is found by an
 * index, and the members of the tenant are read once. One statement.
 *
 * @param tx in the tenant's scope, outside of which nothing has a name.
 */
export async function namesOf(tx: EntityManager, consoleId: string, things: Thing[]): Promise<(string | null)[]> {
  const known = new Map(things.flatMap((thing) => (thing.id === null ? [] : [[keyOf(thing), { ...thing, id: thing.id }]])));
  if (known.size === 0) return things.map(() => null);
  const asked = [...known.values()];
  const rows = await prepared<{ name: string | null }>(tx, names, [
    consoleId,
    asked.map(({ kind }) => kind),
    asked.map(({ id }) => id),
    asked.map(({ id }) => (isId(id) ? id : null)),
    asked.map(({ id }) => (/^\d{1,9}$/.test(id) ? Number(id) : null)),
    asked.map(({ repositoryId }) => repositoryId ?? consoleId),
  ]);
  const found = new Map([...known.keys()].map((key, index) => [key, rows[index]?.name ?? null]));
  return things.map((thing) => found.get(keyOf(thing)) ?? null);
}

const keyOf = ({ kind, id, repositoryId }: Thing) => JSON.stringify([kind, id, repositoryId]);

const client = 'SELECT c.name FROM clients c WHERE c.repository_id = t.repository_id AND c.id = t.id LIMIT 1';
const apiKey = 'SELECT k.name FROM api_keys k WHERE k.repository_id = t.repository_id AND k.id = t.uuid LIMIT 1';

// Of a webhook's address all but its query, where some receivers have a password.
// People of the console are known as members: their accounts are nobody's but the installation's.
const names = `
  SELECT nullif(CASE
    WHEN t.kind IN ('client', 'machine') THEN (${client})
    WHEN t.kind = 'api-key' THEN (${apiKey})
    WHEN t.kind = 'credential' THEN coalesce((${client}), (${apiKey}))
    WHEN t.kind = 'repository' THEN (SELECT r.name FROM repositories r WHERE r.id = t.uuid LIMIT 1)
    WHEN t.kind = 'slug' THEN (SELECT r.slug FROM repositories r WHERE r.id = t.uuid LIMIT 1)
    WHEN t.kind = 'tenant' THEN (SELECT x.name FROM tenants x WHERE x.id = t.uuid LIMIT 1)
    WHEN t.kind = 'webhook' THEN (SELECT split_part(w.url, '?', 1) FROM webhooks w WHERE w.tenant_id = current_tenant() AND w.id = t.uuid LIMIT 1)
    WHEN t.kind = 'user' AND m.id IS NULL THEN (
      SELECT u.login_name FROM repository_users u WHERE u.repository_id = t.repository_id AND u.id = t.number LIMIT 1)
    ELSE m.name END, '') AS name
  FROM unnest($2::text[], $3::text[], $4::uuid[], $5::integer[], $6::uuid[]) WITH ORDINALITY
    AS t (kind, id, uuid, number, repository_id, ordinal)
  LEFT JOIN tenant_members() m ON CASE t.kind WHEN 'member' THEN m.id = t.uuid
    WHEN 'user' THEN m.user_id = t.number AND t.repository_id = $1 END
  ORDER BY t.ordinal`;
