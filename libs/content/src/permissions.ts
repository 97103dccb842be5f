/**
 * What a user or group may do on a node. Given on a node it holds there and, by inheritance, on everything below, up to
 * a break. There is no denying: what nobody gave, nobody has.
 */
export const permissionBits = {
  /** The node turns up: its name, place and type. */
  See: 1,
  /** Its fields can be read too. */
  Open: 2,
  Save: 4,
  AddNew: 8,
  Delete: 16,
} as const;

export type ContentPermissionName = keyof typeof permissionBits;

export const permissionNames = Object.keys(permissionBits) as ContentPermissionName[];

/** Everything that can be given. */
export const allPermissions = 31;

/** The same bits moved up by this many places hold on the very node only and are not inherited. */
export const hereOnlyShift = 8;

/** A grant that is not inherited by what lies below the node. */
export const hereOnly = (bits: number): number => bits << hereOnlyShift;
