import { z } from 'zod';
import { pageQuery, searchedFor } from './tenant-api.js';

/* Which repositories are asked for, and which slugs are left. */

export const repositoriesQuery = pageQuery.extend({
  search: searchedFor.describe('Only those whose name or slug has this in it, in capitals or not'),
  deleted: z
    .enum(['true', 'false'])
    .optional()
    .describe('true: those that were deleted in the last 30 days, which can be restored, and no others'),
});
export type RepositoriesQuery = z.infer<typeof repositoriesQuery>;

export const slugQuery = z.strictObject({
  slug: z.string().min(1).max(100).describe('What a repository would be called in its addresses'),
});
export type SlugQuery = z.infer<typeof slugQuery>;

export const slugAvailabilityView = z.object({
  slug: z.string(),
  available: z.boolean().describe('Nobody has or had it at the moment of the answer'),
  fault: z.string().nullable().describe('Why it cannot be had, in words that follow the word "slug"; null if it can'),
});
export type SlugAvailabilityView = z.infer<typeof slugAvailabilityView>;
