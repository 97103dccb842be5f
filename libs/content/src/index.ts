export { attachBlob, beginBlob, findUploadTarget, readBinaries, type Binary, type BinaryWish } from './binaries.js';
export { Blobs } from './blobs.js';
export { builtInTypes } from './built-in-types.js';
export { InsufficientScope, readablePart, requireWritable, visitor, type Caller } from './caller.js';
export { ContentTypes, type ContentTypeDefinition, type FieldDefinition, type FieldKind, type FieldValue } from './content-types.js';
export { contentTypesOf } from './custom-types.js';
export {
  comparisons,
  fieldFunctions,
  textTests,
  type AppliedFunction,
  type Comparison,
  type Cursor,
  type Expression,
  type FieldFunction,
  type Literal,
  type Order,
} from './filter.js';
export { addMembers, isAdministrator, membersOf, removeMembers, requireAdministratorFor, rolesOf } from './groups.js';
export { copyContent, moveContent } from './move.js';
export { type Address, type ContentEntity, type PermittedEntity } from './node.js';
export { bucketAddress, ObjectStore, StoreUnavailable, type BucketAddress } from './object-store.js';
export { changePermissions, grantsOf, readPermissions, type Grant, type PermissionChange } from './node-permissions.js';
export { permissionNames, type ContentPermissionName } from './permissions.js';
export { countCollection, maxPageSize, permissionsOf, readCollection, readNode, readNodes, type Query } from './read.js';
export { readTargets } from './references.js';
export { createContentRoot } from './root.js';
export { VersionMismatch } from './shape.js';
export { deleteContent, listTrash, purgeTrash, restoreContent, type DeletionWish, type EndedUser } from './trash.js';
export {
  createUser,
  findUser,
  holdPerson,
  listUsers,
  raiseUserGeneration,
  updateUser,
  type KnownUser,
  type NewUser,
  type UserChange,
} from './users.js';
export { readUsage, type Limits, type Usage } from './usage.js';
export { qualifiedLoginName, wellKnown } from './well-known.js';
export { createContent, updateContent } from './write.js';
