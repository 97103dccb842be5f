import Provider, { errors } from 'oidc-provider';
import { RateLimiterMemory, type RateLimiterRes } from 'rate-limiter-flexible';
import { networkOf } from './people/attempts.js';

/** Wrong secrets that one address may present for one client within a minute before it has to wait. */
const attempts = 10;
const windowSeconds = 60;

/**
 * Slows down whoever guesses at secrets: by client and address (of IPv6 the network, which whoever has one address of it has
 * whole), so that a stranger's guesses keep nobody else out. What is counted lives in this process; a guesser gains a few attempts
 * per node, against 256 bits, or the 34 of a user code that is good for ten minutes.
 */
export class Guessing {
  readonly #failures = new RateLimiterMemory({ keyPrefix: '', points: attempts, duration: windowSeconds });

  /** @throws an error that answers 429 with `Retry-After` when this address has failed too often for this client. */
  async refuseGuesser(who: Guesser): Promise<void> {
    const failures = await this.#tooMany(who);
    if (failures) throw slowDown(failures);
  }

  /** Whether `refuseGuesser` would throw. */
  async isGuesser(who: Guesser): Promise<boolean> {
    return Boolean(await this.#tooMany(who));
  }

  async #tooMany(who: Guesser): Promise<RateLimiterRes | undefined> {
    const failures = await this.#failures.get(name(who));
    return failures && failures.consumedPoints >= attempts ? failures : undefined;
  }

  /** Counts a wrong secret. */
  failed(who: Guesser): void {
    // It rejects when the limit is passed, which the next attempt is told.
    this.#failures.consume(name(who)).catch(() => undefined);
  }
}

/** Whose secret is guessed at, and from where. All unknown clients of an issuer count as one. */
export interface Guesser {
  repositoryId: string;
  clientId: string | undefined;
  address: string;
}

const name = ({ repositoryId, clientId, address }: Guesser) => `${repositoryId} ${clientId ?? ''} ${networkOf(address)}`;

function slowDown(failures: RateLimiterRes): Error {
  Provider.ctx?.set('Retry-After', String(Math.ceil(failures.msBeforeNext / 1000)));
  const refusal = new errors.CustomOIDCProviderError(
    'temporarily_unavailable',
    'too many wrong secrets from this address; wait before the next attempt',
  );
  return Object.assign(refusal, { status: 429, statusCode: 429 });
}
