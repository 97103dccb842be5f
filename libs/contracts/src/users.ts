import { z } from 'zod';
import { passwordLengths } from './password-lengths.js';
import { displayName, pageQuery, searchedFor, time } from './tenant-api.js';

/* The people of a repository. */

/**
 * What any password is. How short it may be and what it must not be depends on the repository and the person, and is decided
 * where it is set.
 */
const passwordSchema = z.string().max(2 * passwordLengths.longest, `must be at most ${passwordLengths.longest} characters`);

const loginName = z
  .string()
  .trim()
  .min(1)
  .max(100)
  .regex(/^[^\s\p{Cc}\p{Cs}/\\'"<>()?#%&*:|]+$/u, 'must not hold spaces, control characters, slashes, quotes or any of <>()?#%&*:|');

export const createUserBody = z.strictObject({
  loginName,
  email: z.email().max(254).optional(),
  name: displayName.optional(),
  password: passwordSchema.optional().describe('Without one the person sets it by invitation'),
  administrator: z.boolean().default(false),
});
export type CreateUserBody = z.infer<typeof createUserBody>;

export const updateUserBody = z.strictObject({
  email: z.email().max(254).optional(),
  name: displayName.optional(),
  password: passwordSchema.optional().describe('Ends every session and token that is older'),
  enabled: z.boolean().optional().describe('false ends every session and token'),
});
export type UpdateUserBody = z.infer<typeof updateUserBody>;

export const userView = z.object({
  id: z.int(),
  loginName: z.string(),
  email: z.string().nullable(),
  emailVerified: z.boolean().describe('The person has proved to read what is sent to the address'),
  name: z.string(),
  enabled: z.boolean(),
  hasPassword: z.boolean(),
  createdAt: time,
});
export type UserView = z.infer<typeof userView>;

export const userSessionView = z.object({
  id: z.string(),
  userAgent: z.string().nullable().describe('What the browser says that it is'),
  address: z.string().nullable(),
  signedInAt: time,
  lastUsedAt: time.nullable().describe('When an app last sent the browser to the authority with it'),
});
export type UserSessionView = z.infer<typeof userSessionView>;

export const usersQuery = pageQuery.extend({
  search: searchedFor.describe('Only those whose name, user name or e-mail address has this in it, in capitals or not'),
});
export type UsersQuery = z.infer<typeof usersQuery>;
