/** How many of a tenant's runs may go on at once at first, at least and at most. */
const firstLimit = 4;
const leastLimit = 1;

/** How soon and how late a job that was sent away comes back. */
const soonestMillis = 20;
const latestMillis = 300_000;

interface Turn {
  running: number;
  limit: number;
  /** How long runs take, the latest counting most. */
  meanMillis: number;
  endedAt: number;
  /** When the last job that was sent away comes back. */
  lastReturnAt: number;
}

/**
 * Shares the runs of one worker among tenants, so that one whose receivers are slow or dead does not hold up the others. A
 * tenant whose runs succeed gets more of them at once, one whose runs fail gets half as many. Whoever comes too many is sent
 * away until a run is likely to be free; they come back one after another, so that a long queue does not turn in circles.
 */
export class Turns {
  readonly #mostLimit: number;
  readonly #tenants = new Map<string, Turn>();

  constructor(mostPerTenant: number) {
    this.#mostLimit = mostPerTenant;
  }

  /** @returns how many whole milliseconds to wait and ask again, or nothing: then the run has begun, and `end` must follow. */
  begin(tenantId: string, now = Date.now()): number | undefined {
    const turn = this.#tenants.get(tenantId) ?? { running: 0, limit: firstLimit, meanMillis: 0, endedAt: now, lastReturnAt: now };
    this.#tenants.set(tenantId, turn);
    if (turn.running < turn.limit) {
      turn.running += 1;
      return undefined;
    }
    // Nothing has ended for longer than runs used to take: then that is how long they take now.
    const runMillis = Math.max(turn.meanMillis, now - turn.endedAt);
    const returnAt = Math.max(turn.lastReturnAt, now) + Math.max(soonestMillis, runMillis) / turn.limit;
    turn.lastReturnAt = Math.min(returnAt, now + latestMillis);
    return Math.ceil(Math.max(soonestMillis, turn.lastReturnAt - now));
  }

  /** @param startedAt when `begin` let the run begin. */
  end(tenantId: string, outcome: 'succeeded' | 'failed', startedAt: number, now = Date.now()): void {
    const turn = this.#tenants.get(tenantId);
    if (!turn) return;
    turn.running -= 1;
    turn.limit = outcome === 'succeeded' ? Math.min(turn.limit + 1, this.#mostLimit) : Math.max(Math.floor(turn.limit / 2), leastLimit);
    turn.meanMillis = turn.meanMillis === 0 ? now - startedAt : turn.meanMillis * 0.7 + (now - startedAt) * 0.3;
    turn.endedAt = now;
    if (turn.running === 0 && turn.lastReturnAt <= now) this.#tenants.delete(tenantId);
  }
}
