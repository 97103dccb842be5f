import { Redis } from 'ioredis';
import { RateLimiterMemory, RateLimiterRedis, type RateLimiterAbstract } from 'rate-limiter-flexible';
import type { Logger } from '@latchkey/runtime';

/** How long Redis may take to count something. */
const patienceMillis = 250;

/** What is limited: so many points in so many seconds for each key. */
export interface LimiterOptions {
  /** What the limiter's keys in Redis begin with, and nobody else's. */
  keyPrefix: string;
  points: number;
  duration: number;
}

/**
 * Limiters that count in Redis, for all nodes together, or in this process: then an installation of n nodes allows up to n times
 * as much. While Redis is away each node counts by itself.
 */
export class Limiters {
  readonly #redis: Redis | undefined;

  /** @param redis the one that counts for all nodes. */
  constructor(redis?: { url: string | undefined; log: Logger }) {
    this.#redis = redis?.url === undefined ? undefined : connect(redis.url, redis.log);
  }

  of(options: LimiterOptions): RateLimiterAbstract {
    const alone = new RateLimiterMemory(options);
    return this.#redis ? new RateLimiterRedis({ ...options, storeClient: this.#redis, insuranceLimiter: alone }) : alone;
  }

  close(): void {
    this.#redis?.disconnect();
  }
}

/** Whoever is counted waits for Redis for a moment, and never for it to come back. */
function connect(url: string, log: Logger): Redis {
  const redis = new Redis(url, {
    enableOfflineQueue: false,
    maxRetriesPerRequest: 0,
    commandTimeout: patienceMillis,
    retryStrategy: (times) => Math.min(times * 200, 5_000),
  });
  let isAway = false;
  redis.on('ready', () => (isAway = false));
  redis.on('error', (error: Error) => {
    if (!isAway) log.warn({ err: error }, 'calls are counted by each node alone: Redis cannot be reached');
    isAway = true;
  });
  return redis;
}
