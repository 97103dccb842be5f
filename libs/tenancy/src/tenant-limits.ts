import { Problem } from '@latchkey/contracts';
import { Limiters } from '@latchkey/access';
import { nameKey } from '@latchkey/credentials';
import { RateLimiterRes, type RateLimiterAbstract } from 'rate-limiter-flexible';

/** How often in an hour; the reference is docs/guides/operate.md. */
const perHour = { mails: 100, mailsToOneAddress: 5, sendings: 300 };

/**
 * Keeps each tenant to so much of what reaches others at its word: anybody can sign up for a tenant, and shall not flood
 * strangers with it. A call that is carried out once by its `Idempotency-Key` counts once.
 */
export class TenantLimits {
  readonly #mails: RateLimiterAbstract;
  readonly #mailsToOneAddress: RateLimiterAbstract;
  readonly #sendings: RateLimiterAbstract;

  /** @param limiters where it is counted; in this process alone if absent. */
  constructor(limiters = new Limiters()) {
    const hourly = (keyPrefix: string, points: number) => limiters.of({ keyPrefix: `latchkey-${keyPrefix}`, points, duration: 3_600 });
    this.#mails = hourly('mails', perHour.mails);
    this.#mailsToOneAddress = hourly('mails-to', perHour.mailsToOneAddress);
    this.#sendings = hourly('sendings', perHour.sendings);
  }

  /** Counts a mail to an address of the tenant's choice. @throws Problem `too-many-requests`. */
  async countMail(tenantId: string, address: string): Promise<void> {
    const tooMany = (most: number, to: string) => `A tenant may mail ${most} invitations in an hour${to}. A link can be made without mail.`;
    await take(this.#mailsToOneAddress, `${tenantId} ${nameKey(address)}`, tooMany(perHour.mailsToOneAddress, ' to one address'));
    await take(this.#mails, tenantId, tooMany(perHour.mails, ''));
  }

  /** Counts an event that is sent to a webhook because somebody wants it sent now. @throws Problem `too-many-requests`. */
  async countSending(tenantId: string): Promise<void> {
    await take(this.#sendings, tenantId, `A tenant may test webhooks and have events sent again ${perHour.sendings} times in an hour.`);
  }
}

async function take(limiter: RateLimiterAbstract, key: string, detail: string): Promise<void> {
  await limiter.consume(key).catch((error: unknown) => {
    if (!(error instanceof RateLimiterRes)) throw error;
    const retryAfterSeconds = Math.max(1, Math.ceil(error.msBeforeNext / 1_000));
    throw new Problem('too-many-requests', `${detail} Try again in ${waitOf(retryAfterSeconds)}.`, { retryAfterSeconds });
  });
}

const waitOf = (seconds: number) => (seconds < 120 ? `${seconds} seconds` : `${Math.ceil(seconds / 60)} minutes`);
