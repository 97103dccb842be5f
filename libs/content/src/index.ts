export { createContentRoot, type NewContentRoot } from './root.js';
export { firstFreeId, qualifiedLoginName, technicalUsers, wellKnown } from './well-known.js';
export { createUser, findUser, listUsers, updateUser, type ChangedUser, type KnownUser, type NewUser, type UserChange } from './users.js';
