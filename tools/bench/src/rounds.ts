import { givenShareMeter } from './machine.js';

/** With this share of what it wanted a machine counts as having had its processors to itself. */
const quietShare = 0.97;
/** So many times as many rounds as wanted are measured at most. */
const mostTimes = 3;

/**
 * Measures in rounds, on a machine that may be shared. Rounds in which the host gave much to others are measured again, up to
 * three times as many as wanted; those count in which it gave least, whatever was measured in them.
 */
export class Rounds {
  readonly #wanted: number;
  readonly #say: (line: string) => void;
  readonly #share: () => number;
  #least = 1;

  /** @param share tells which share of the machine was given since it was last asked, as `givenShareMeter` does. */
  constructor(wanted: number, say: (line: string) => void = () => {}, share: () => number = givenShareMeter()) {
    this.#wanted = wanted;
    this.#say = say;
    this.#share = share;
  }

  /** How many count, and what the host gave to others in any of them, at most: for the reader of a table. */
  toString(): string {
    return `${this.#wanted} interleaved rounds, in which the host gave at most ${Math.round((1 - this.#least) * 100)} % to others`;
  }

  /**
   * @returns what the rounds that count have measured, in the order of time.
   * @throws what a round has thrown in which the machine was given; in another one it is only said, and the round does not count.
   */
  async each<T>(measure: (round: number) => Promise<T>): Promise<T[]> {
    const measured: { share: number; result: T }[] = [];
    const quietest = () => measured.toSorted((one, other) => other.share - one.share).slice(0, this.#wanted);
    const enough = () => quietest().filter(({ share }) => share >= quietShare).length === this.#wanted;
    for (let round = 0; !enough() && round < this.#wanted * mostTimes; round++) {
      this.#share();
      const outcome = await measure(round).then(
        (result) => ({ result }),
        (error: unknown) => ({ error }),
      );
      const share = this.#share();
      const taken = `  round ${round + 1}: the host gave ${Math.round((1 - share) * 100)} % to others`;
      if ('error' in outcome) {
        if (share >= quietShare) throw outcome.error;
        this.#say(`${taken}; ${String(outcome.error)}`);
      } else {
        measured.push({ share, result: outcome.result });
        this.#say(taken);
      }
    }
    if (measured.length < this.#wanted) throw new Error(`Only ${measured.length} of ${this.#wanted} rounds could be measured.`);
    const counted = new Set(quietest());
    for (const { share } of counted) this.#least = Math.min(this.#least, share);
    return measured.filter((round) => counted.has(round)).map(({ result }) => result);
  }

  /**
   * Each name in each round, beginning with another one each time and then the other way round, so that what else happens on the
   * machine happens to all, and none always comes after the same other.
   */
  async byTurns<N extends string, T>(names: readonly N[], measure: (name: N) => Promise<T>): Promise<Record<N, T[]>> {
    const rounds = await this.each(async (round) => {
      const results = {} as Record<N, T>;
      const inTurn = Math.floor(round / names.length) % 2 === 0 ? names : names.toReversed();
      for (let index = 0; index < names.length; index++) {
        const name = inTurn[(index + round) % names.length]!;
        results[name] = await measure(name);
      }
      return results;
    });
    return Object.fromEntries(names.map((name) => [name, rounds.map((results) => results[name])])) as Record<N, T[]>;
  }

  /** Calls each so often in each round, by turns. @returns by name what those of the rounds that count have returned. */
  async alternately<N extends string, T>(works: Record<N, () => Promise<T>>, times: number): Promise<Record<N, T[]>> {
    const names = Object.keys(works) as N[];
    const rounds = await this.each(async () => {
      const results = Object.fromEntries(names.map((name) => [name, []])) as unknown as Record<N, T[]>;
      for (let time = 0; time < times; time++) for (const name of names) results[name].push(await works[name]());
      return results;
    });
    return Object.fromEntries(names.map((name) => [name, rounds.flatMap((results) => results[name])])) as Record<N, T[]>;
  }
}
