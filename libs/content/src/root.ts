import { prepared, type EntityManager } from '@latchkey/database';
import type { FieldValue } from './content-types.js';
import { allPermissions, hereOnly, permissionBits } from './permissions.js';
import { domainOf, firstFreeId, technicalUsers, wellKnown } from './well-known.js';

export interface NewContentRoot {
  tenantId: string;
  repositoryId: string;
  /** What people call the repository; the display name of `/Root`. */
  name: string;
}

interface NewNode {
  id: number;
  parent_id: number | null;
  name: string;
  path: string;
  type: string;
  fields: Record<string, FieldValue>;
  permission_path: number[];
}

const { See, Open } = permissionBits;
const seeAndOpen = See | Open;

/*
 * Who may do what in a new repository:
 *
 * | on              | who            | what                                   | inherited by what is below |
 * |-----------------|----------------|----------------------------------------|----------------------------|
 * | /Root           | Administrators | everything                             | yes                        |
 * | /Root           | Everyone       | See, Open                              | no                         |
 * | /Root/Content   | Everyone       | See, Open                              | yes                        |
 * | /Root/Trash     | Everyone       | See, Open                              | no                         |
 * | each user       | that user      | See, Open                              | no                         |
 *
 * So a signed-in user reads /Root/Content, knows that /Root and the trash are there, and sees of /Root/IMS nothing but itself. The
 * Visitor sees nothing until something is made public. Administrators are Admin, PublicAdmin (whom the default tool
 * client acts as) and the people who were made administrators.
 */
const grants = [
  { node_id: wellKnown.root, identity_id: wellKnown.administrators, bits: allPermissions },
  { node_id: wellKnown.root, identity_id: wellKnown.everyone, bits: hereOnly(seeAndOpen) },
  { node_id: wellKnown.trash, identity_id: wellKnown.everyone, bits: hereOnly(seeAndOpen) },
  { node_id: wellKnown.content, identity_id: wellKnown.everyone, bits: seeAndOpen },
  ...technicalUsers.map(({ id }) => ({ node_id: id, identity_id: id, bits: hereOnly(seeAndOpen) })),
];

const administrators = [wellKnown.admin, wellKnown.publicAdmin];

/** The nodes of a new repository, each after its parent. The root has no fields yet: what it is called is the repository's own. */
function allNodes(): NewNode[] {
  const nodes = new Map<number, NewNode>();
  const add = (id: number, parentId: number | null, nodeName: string, type: string, fields: Record<string, FieldValue>) => {
    const parent = parentId === null ? undefined : nodes.get(parentId);
    nodes.set(id, {
      id,
      parent_id: parentId,
      name: nodeName,
      path: `${parent?.path ?? ''}/${nodeName}`,
      type,
      fields,
      permission_path: [...(parent?.permission_path ?? []), id],
    });
  };
  add(wellKnown.root, null, 'Root', 'PortalRoot', {});
  add(wellKnown.ims, wellKnown.root, 'IMS', 'SystemFolder', { DisplayName: 'Users and groups' });
  add(wellKnown.builtIn, wellKnown.ims, 'BuiltIn', 'Domain', { DisplayName: 'Built in' });
  add(wellKnown.portal, wellKnown.builtIn, 'Portal', 'OrganizationalUnit', { DisplayName: 'Portal' });
  add(wellKnown.public, wellKnown.ims, 'Public', 'Domain', { DisplayName: 'Public' });
  add(wellKnown.content, wellKnown.root, 'Content', 'Folder', { DisplayName: 'Content' });
  add(wellKnown.system, wellKnown.root, 'System', 'SystemFolder', { DisplayName: 'System' });
  add(wellKnown.schema, wellKnown.system, 'Schema', 'SystemFolder', { DisplayName: 'Schema' });
  add(wellKnown.contentTypes, wellKnown.schema, 'ContentTypes', 'ContentTypeFolder', { DisplayName: 'Content types' });
  add(wellKnown.trash, wellKnown.root, 'Trash', 'TrashBin', { DisplayName: 'Trash' });
  const nameOfNode = { [wellKnown.admin]: 'Admin', [wellKnown.visitor]: 'Visitor', [wellKnown.publicAdmin]: 'PublicAdmin' };
  for (const user of technicalUsers) {
    add(user.id, wellKnown.portal, nameOfNode[user.id], 'User', userFields({ ...user, email: null, enabled: true }));
  }
  add(wellKnown.administrators, wellKnown.portal, 'Administrators', 'Group', { DisplayName: 'Administrators' });
  add(wellKnown.everyone, wellKnown.portal, 'Everyone', 'Group', { DisplayName: 'Everyone' });
  return [...nodes.values()];
}

/** The fields of a user's node that are the same as the columns of its `repository_users` row. */
export function userFields(user: {
  id: number;
  loginName: string;
  email: string | null;
  name: string;
  enabled: boolean;
}): Record<string, FieldValue> {
  return {
    DisplayName: user.name,
    FullName: user.name,
    LoginName: user.loginName,
    Domain: domainOf(user),
    Email: user.email,
    Enabled: user.enabled,
  };
}

const quoted = (text: string) => `'${text.replaceAll("'", "''")}'`;
/** Rows as SQL writes them. */
const rowsOf = <Each>(all: readonly Each[], columns: (each: Each) => (string | number)[]) =>
  all.map((each) => `(${columns(each).join(', ')})`).join(', ');

/** But for ids and name the same for every repository, so that it is all in the text and read when the statement is planned. */
const makeEverything = `
  WITH counter AS (
    INSERT INTO content_counters (repository_id, tenant_id, next_id) VALUES ($1, $2, ${firstFreeId})
  ), nodes AS (
    INSERT INTO content_nodes (repository_id, tenant_id, id, parent_id, name, path, type, fields, permission_path, created_by, modified_by)
    SELECT $1, $2, n.id, n.parent_id, n.name, n.path, n.type,
      CASE n.id WHEN ${wellKnown.root} THEN jsonb_build_object('DisplayName', $3::text) ELSE n.fields END,
      n.permission_path, ${wellKnown.admin}, ${wellKnown.admin}
    FROM (VALUES ${rowsOf(allNodes(), (node) => [
      node.id,
      node.parent_id ?? 'NULL',
      ...[node.name, node.path, node.type].map(quoted),
      `${quoted(JSON.stringify(node.fields))}::jsonb`,
      `ARRAY[${node.permission_path.join(', ')}]`,
    ])}) AS n (id, parent_id, name, path, type, fields, permission_path)
  ), users AS (
    INSERT INTO repository_users (repository_id, tenant_id, id, login_name, name, technical)
    VALUES ${rowsOf(technicalUsers, (user) => ['$1', '$2', user.id, quoted(user.loginName), quoted(user.name), 'true'])}
  ), members AS (
    INSERT INTO content_group_members (repository_id, tenant_id, group_id, member_id)
    VALUES ${rowsOf(administrators, (id) => ['$1', '$2', wellKnown.administrators, id])}
  )
  INSERT INTO content_permissions (repository_id, tenant_id, node_id, identity_id, bits)
  VALUES ${rowsOf(grants, (grant) => ['$1', '$2', grant.node_id, grant.identity_id, grant.bits])}`;

/**
 * Makes everything that a new repository's content consists of: the well-known nodes, the technical users, the
 * Administrators and the first permissions. One statement, since it is on the way of provisioning.
 *
 * @throws the database's error when the repository has a content root already.
 */
export async function createContentRoot(tx: EntityManager, root: NewContentRoot): Promise<void> {
  await prepared(tx, makeEverything, [root.repositoryId, root.tenantId, root.name]);
}
