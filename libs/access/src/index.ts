export {
  authorize,
  machineActor,
  memberActor,
  userActor,
  systemActor,
  type Actor,
  type Call,
  type Person,
  type UsedSecret,
} from './actor.js';
export { audit, auditEach, type Deed, type Doer } from './audit.js';
export { carryOut } from './carry-out.js';
export { cursor, noCursor, pageOf } from './cursor.js';
export { enter } from './enter.js';
export { Limiters } from './limiters.js';
