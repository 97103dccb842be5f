import type { FieldValue } from './content-types.js';
import { permissionBits, permissionNames, type ContentPermissionName } from './permissions.js';

/** Where a node is: its path, whatever its case, or its id. */
export type Address = { path: string } | { id: number };

/** One node as its reader may know it. */
export interface ContentEntity {
  id: number;
  parentId: number | null;
  name: string;
  path: string;
  type: string;
  version: number;
  createdAt: Date;
  createdBy: number;
  modifiedAt: Date;
  modifiedBy: number;
  /** Values of the type's own fields, by name; nothing when the reader may see the node but not open it. */
  fields: Record<string, FieldValue> | undefined;
}

/** A node with what its reader may do on it. */
export interface PermittedEntity extends ContentEntity {
  permissions: ReadonlySet<ContentPermissionName>;
}

/** A row of the columns in `nodeColumns`. */
export interface NodeRow {
  id: number;
  parent_id: number | null;
  name: string;
  path: string;
  type: string;
  version: number;
  created_at: Date;
  created_by: number;
  modified_at: Date;
  modified_by: number;
  fields: Record<string, FieldValue> | null;
}

/** Everything of the node `n` but its fields, which not every reader may have. */
export const nodeColumns = 'n.id, n.parent_id, n.name, n.path, n.type, n.version, n.created_at, n.created_by, n.modified_at, n.modified_by';

export function toEntity(row: NodeRow): ContentEntity {
  return {
    id: row.id,
    parentId: row.parent_id,
    name: row.name,
    path: row.path,
    type: row.type,
    version: row.version,
    createdAt: row.created_at,
    createdBy: row.created_by,
    modifiedAt: row.modified_at,
    modifiedBy: row.modified_by,
    fields: row.fields ?? undefined,
  };
}

export function namesOf(bits: number): Set<ContentPermissionName> {
  return new Set(permissionNames.filter((name) => bits & permissionBits[name]));
}
