/**
 * Ids that are the same in every repository. Existing clients know some of them by heart (1 is the first administrator,
 * 6 the Visitor), so they never change. Ids below `firstFreeId` are kept for nodes that the product makes.
 */
export const wellKnown = {
  admin: 1,
  root: 2,
  ims: 3,
  builtIn: 4,
  portal: 5,
  /** Whoever calls without a credential. */
  visitor: 6,
  administrators: 7,
  /** Everyone who is signed in: each identity but the Visitor belongs to it without being listed. */
  everyone: 8,
  /** In whose name the default tool client acts. */
  publicAdmin: 12,
  /** `/Root/IMS/Public`, where people are. */
  public: 13,
  /** `/Root/Content`, where content is. */
  content: 14,
  /** `/Root/System` and `/Root/System/Schema`. */
  system: 15,
  schema: 16,
  /** `/Root/System/Schema/ContentTypes`, where the types are that the repository has made itself. */
  contentTypes: 17,
  /** `/Root/Trash`, where deleted content waits. */
  trash: 18,
} as const;

/** The id that the first node which is not the product's own gets. */
export const firstFreeId = 1000;

/** Login names of the users that every repository has. Nobody signs in as them. */
export const technicalUsers = [
  { id: wellKnown.admin, loginName: 'admin', name: 'Administrator' },
  { id: wellKnown.visitor, loginName: 'visitor', name: 'Visitor' },
  { id: wellKnown.publicAdmin, loginName: 'publicadmin', name: 'Public administrator' },
] as const;

/** The domain that a user's login name belongs to: `builtin` for technical users, `public` for people. */
export function domainOf({ id }: { id: number }): 'builtin' | 'public' {
  return id < firstFreeId ? 'builtin' : 'public';
}

/** The login name as existing clients read it in `client_sub`: `builtin\publicadmin`, `public\anna`. */
export function qualifiedLoginName(user: { id: number; loginName: string }): string {
  return `${domainOf(user)}\\${user.loginName}`;
}
