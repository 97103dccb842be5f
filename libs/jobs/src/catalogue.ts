import { z } from 'zod';

/** What there is to know about a job beside its name. */
export interface JobDefinition {
  /** Ids and nothing secret: the data lies in the database and in the queue. */
  data: z.ZodObject;
  /** How often it is tried in all. */
  attempts: number;
  /** How long the first retry waits; every later one waits twice as long as the one before, up to a fifth less. */
  firstRetrySeconds: number;
  /** For a job that nobody asks for: how often it runs, once for all workers together. */
  everySeconds?: number;
  /**
   * How many of one tenant a worker runs at once at most, and fewer while they fail; for a job that waits for somebody
   * else's server. Its data must name the tenant.
   */
  runsPerTenant?: number;
}

/**
 * Every job there is. The worker does not compile without a handler for each, and each may run more than once: a handler
 * looks at the state of things and does what is left to do.
 */
export const catalogue = {
  /** Sends one event to one webhook. 15 attempts, the last 18 to 23 hours after the first. */
  'webhook.deliver': {
    data: z.strictObject({ tenantId: z.uuid(), webhookId: z.uuid(), deliveryId: z.uuid(), round: z.int().min(0) }),
    attempts: 15,
    firstRetrySeconds: 5,
    runsPerTenant: 16,
  },
  /** Finds deliveries, of events, of mail and of sign-outs, that the queue has lost, as a Redis that does not keep its data may, and puts them back. */
  'webhook.recover': {
    data: z.strictObject({}),
    attempts: 1,
    firstRetrySeconds: 1,
    everySeconds: 300,
  },
  /** Tells one app that a session has ended (Back-Channel Logout 1.0). 15 attempts, the last 18 to 23 hours after the first. */
  'logout.tell': {
    data: z.strictObject({
      tenantId: z.uuid(),
      repositoryId: z.uuid(),
      clientId: z.string().max(100),
      userId: z.int(),
      sid: z.string().max(100),
      issuer: z.string().max(500).nullable(),
    }),
    attempts: 15,
    firstRetrySeconds: 5,
    runsPerTenant: 8,
  },
  /** Sends one mail, to the owners and super admins of a tenant or to one person. 10 attempts within nine hours. */
  'mail.send': {
    data: z.strictObject({ tenantId: z.uuid(), mailId: z.uuid() }),
    attempts: 10,
    firstRetrySeconds: 60,
  },
  /** Tells of secrets and API keys that will soon expire or be a year old. */
  'credentials.remind': {
    data: z.strictObject({}),
    attempts: 3,
    firstRetrySeconds: 60,
    everySeconds: 3_600,
  },
  /** Looks whether the DNS records of verified domains are still there. */
  'domains.look': {
    data: z.strictObject({}),
    attempts: 1,
    firstRetrySeconds: 1,
    everySeconds: 86_400,
  },
  /** Reads the keys that clients publish, so that one that is no longer there ends. */
  'client-keys.fetch': {
    data: z.strictObject({}),
    attempts: 1,
    firstRetrySeconds: 1,
    everySeconds: 300,
  },
  /** Replaces signing keys that are old enough, removes those that were, and keeps keys ready that take long to make. */
  'signing-keys.tend': {
    data: z.strictObject({}),
    attempts: 3,
    firstRetrySeconds: 10,
    everySeconds: 60,
  },
  /** Removes what has expired or served its purpose. */
  'records.sweep': {
    data: z.strictObject({}),
    attempts: 3,
    firstRetrySeconds: 10,
    everySeconds: 600,
  },
} as const satisfies Record<string, JobDefinition>;

export type JobName = keyof typeof catalogue;
export type JobData<N extends JobName> = z.infer<(typeof catalogue)[N]['data']>;

/** The jobs that a transaction asks for; the others run on a schedule. */
export type EnqueuedJobName = { [N in JobName]: (typeof catalogue)[N] extends { everySeconds: number } ? never : N }[JobName];

/** The names, for telling a job of this release from one of another. */
export const jobNames = Object.keys(catalogue) as JobName[];

/** @throws ZodError when the data is not what the job takes. */
export function parseJobData<N extends JobName>(name: N, data: unknown): JobData<N> {
  return catalogue[name].data.parse(data) as JobData<N>;
}
