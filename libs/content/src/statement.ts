/** A statement's text grows with placeholders while their values are gathered here; no value ever becomes text. */
export class Parameters {
  readonly values: unknown[];

  constructor(...values: unknown[]) {
    this.values = values;
  }

  /** @returns the placeholder that stands for the value. */
  add(value: unknown): string {
    return `$${this.values.push(value)}`;
  }
}

/**
 * The identities a user has: itself, Everyone unless it is the Visitor, and the groups that these belong to, at any depth.
 * $1 is the repository, $2 the identities to begin with. UNION, not UNION ALL, so that groups in a circle come to an end.
 */
export const identitiesClause = `
  WITH RECURSIVE identity (id) AS (
    SELECT unnest($2::integer[])
    UNION
    SELECT m.group_id FROM content_group_members m JOIN identity i ON i.id = m.member_id WHERE m.repository_id = $1 AND m.active
  )`;

/** A path in the form in which `n.path_key` has it. Its own collation says that texts are compared by their bytes. */
export const keyOf = (path: string): string => `(lower(${path}::text COLLATE "und-x-icu") COLLATE "C")`;

/** Where deleted content is. */
export const trashPath = '/root/trash';

/** True for the node `n` unless it is in the trash. */
export const notInTrash = `(n.path_key < '${trashPath}/' OR n.path_key >= '${trashPath}0')`;

/**
 * True for the nodes below the one whose key is given. A range of the index of paths, because '0' is the character after '/'.
 */
export const isBelow = (key: string): string => `(n.path_key >= ${key} || '/' AND n.path_key < ${key} || '0')`;
