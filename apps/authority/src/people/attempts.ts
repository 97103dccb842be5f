import { isIPv6 } from 'node:net';
import { RateLimiterMemory, RateLimiterRes } from 'rate-limiter-flexible';

/** Who tries to prove to be whom, and from where. */
export interface Attempt {
  repositoryId: string;
  /** What was typed, as it is looked up (`nameKey`): an account that does not exist is slowed like one that does. */
  name: string;
  address: string;
  /** What the browser has from an earlier sign-in of the very account, if it is known there. */
  device?: string | undefined;
}

/** An attempt that may be made. */
export interface Turn {
  /** Gives back what it took: the proof was right, or there was none to look at. */
  giveBack: () => void;
}

/** An attempt that may not. */
export interface Wait {
  waitSeconds: number;
}

const quarterHour = 900;
const hour = 3_600;

/**
 * Slows down whoever guesses passwords, without letting them keep anybody out:
 *
 * - one address has 10 wrong tries for an account, and 100 for all accounts, in a quarter of an hour;
 * - an account has 100 wrong tries an hour from browsers that it is not known in, wherever they come from, and then one a
 *   minute: a crowd of addresses gains nothing more, and a person at a new browser has to wait or to set a new password by mail;
 * - a browser in which the account has signed in before has 10 tries of its own in a quarter of an hour, which nobody else
 *   can use up (OWASP, "Device Cookies").
 *
 * A try is taken before the proof is looked at and given back when it is right, so that many at once gain nothing. What is
 * counted lives in this process: behind n nodes the bounds are n times as high, and a restart forgets them.
 */
export class Attempts {
  readonly #pair = new RateLimiterMemory({ keyPrefix: 'pair', points: 10, duration: quarterHour });
  readonly #address = new RateLimiterMemory({ keyPrefix: 'address', points: 100, duration: quarterHour });
  readonly #account = new RateLimiterMemory({ keyPrefix: 'account', points: 100, duration: hour });
  readonly #trickle = new RateLimiterMemory({ keyPrefix: 'trickle', points: 1, duration: 60 });
  readonly #device = new RateLimiterMemory({ keyPrefix: 'device', points: 10, duration: quarterHour });

  async begin({ repositoryId, name, address, device }: Attempt): Promise<Turn | Wait> {
    const account = `${repositoryId} ${name}`;
    if (device !== undefined) {
      const own = await take(this.#device, `${account} ${device}`);
      if (!('waitSeconds' in own)) return own;
    }
    const network = networkOf(address);
    const taken: Turn[] = [];
    for (const [limiter, key] of [
      [this.#address, network],
      [this.#pair, `${account} ${network}`],
    ] as const) {
      const turn = await take(limiter, key);
      if ('waitSeconds' in turn) return turn;
      taken.push(turn);
    }
    const ofAccount = await take(this.#account, account);
    const last = 'waitSeconds' in ofAccount ? await take(this.#trickle, account) : ofAccount;
    if ('waitSeconds' in last) return last;
    return { giveBack: () => [...taken, last].forEach((turn) => turn.giveBack()) };
  }
}

/** What somebody is mailed of their account: nobody has said that the address is theirs. */
interface Account {
  repositoryId: string;
  userId: number;
}

/**
 * Mails that come of what somebody does here. For whoever asks for links that are mailed: 20 in a quarter of an hour for one
 * network. For changes of an account, of which its address is told: 60 in an hour; for new browsers in which it signs in: 20.
 */
export class Requests {
  readonly #address = new RateLimiterMemory({ keyPrefix: 'requests', points: 20, duration: quarterHour });
  readonly #changes = new RateLimiterMemory({ keyPrefix: 'changes', points: 60, duration: hour });
  readonly #devices = new RateLimiterMemory({ keyPrefix: 'devices', points: 20, duration: hour });

  async begin(address: string): Promise<Turn | Wait> {
    return take(this.#address, networkOf(address));
  }

  async beginChange({ repositoryId, userId }: Account): Promise<Turn | Wait> {
    return take(this.#changes, `${repositoryId} ${userId}`);
  }

  async beginDevice({ repositoryId, userId }: Account): Promise<Turn | Wait> {
    return take(this.#devices, `${repositoryId} ${userId}`);
  }
}

async function take(limiter: RateLimiterMemory, key: string): Promise<Turn | Wait> {
  try {
    await limiter.consume(key);
    return { giveBack: () => void limiter.reward(key) };
  } catch (error) {
    if (!(error instanceof RateLimiterRes)) throw error;
    return { waitSeconds: Math.max(1, Math.ceil(error.msBeforeNext / 1000)) };
  }
}

/** Whoever has one address of IPv6 has the other 2^64 of its network too. */
export function networkOf(address: string): string {
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address)?.[1];
  if (mapped) return mapped;
  if (!isIPv6(address)) return address;
  const [head = '', tail] = address.split('%')[0]!.split('::');
  const groups = head.split(':').filter(Boolean);
  const rest = (tail ?? '').split(':').filter(Boolean);
  const zeros = tail === undefined ? [] : Array.from({ length: 8 - groups.length - rest.length }, () => '0');
  return [...groups, ...zeros, ...rest]
    .slice(0, 4)
    .map((group) => Number.parseInt(group, 16).toString(16))
    .join(':');
}
