export { builtInTypes } from './built-in-types.js';
export { InsufficientScope, readablePart, requireWritable, visitor, type Caller } from './caller.js';
export { ContentTypes, type ContentTypeDefinition, type FieldDefinition, type FieldKind, type FieldValue } from './content-types.js';
export {
  comparisons,
  fieldFunctions,
  textTests,
  type Comparison,
  type Expression,
  type FieldFunction,
  type Literal,
  type Order,
  type TextTest,
} from './filter.js';
export { addMembers, groupsOf, isAdministrator, membersOf, removeMembers, requireAdministratorFor, rolesOf } from './groups.js';
export { type ContentEntity, type PermittedEntity } from './node.js';
export { permissionNames, type ContentPermissionName } from './permissions.js';
export {
  countCollection,
  findNode,
  maxPageSize,
  permissionsOf,
  readCollection,
  readNode,
  readNodes,
  type Address,
  type Query,
} from './read.js';
export { createContentRoot, type NewContentRoot } from './root.js';
export {
  createUser,
  deleteUser,
  findUser,
  listUsers,
  raiseUserGeneration,
  updateUser,
  type ChangedUser,
  type KnownUser,
  type NewUser,
  type UserChange,
} from './users.js';
export { readUsage, type Limits, type Usage } from './usage.js';
export { firstFreeId, qualifiedLoginName, technicalUsers, wellKnown } from './well-known.js';
export { createContent, deleteContent, updateContent, VersionMismatch, type ContentChange, type NewContent } from './write.js';
