import { setTimeout as wait } from 'node:timers/promises';
import { tokenRequest, type BenchRepository, type Customer } from './customer.js';
import { RawConnection, written } from './raw-load.js';

/** Repositories that come and go are so many at once. */
const present = 20;
/** For requests that were under way. */
const patienceMillis = 300;

/** Repositories that a customer makes, uses from the first moment on, gives a new secret, and deletes. */
export class Comings {
  readonly #customer: Customer;
  readonly #connection: RawConnection;
  readonly #live: { repository: BenchRepository; request: Buffer }[] = [];
  #made = 0;
  #deleted = 0;
  #stopped = false;

  private constructor(customer: Customer, connection: RawConnection) {
    this.#customer = customer;
    this.#connection = connection;
  }

  static async open(customer: Customer, origin: string): Promise<Comings> {
    const { hostname, port } = new URL(origin);
    return new Comings(customer, await RawConnection.open(hostname, Number(port)));
  }

  get counts(): { made: number; deleted: number } {
    return { made: this.#made, deleted: this.#deleted };
  }

  /** A request of one that is there; nothing while none is. */
  request(): Buffer | undefined {
    return this.#live[Math.floor(Math.random() * this.#live.length)]?.request;
  }

  /** Resolves when stopped. @throws when one does not work at once, or still works after its end. */
  async run(everyMillis: number): Promise<void> {
    for (; !this.#stopped; await wait(everyMillis)) {
      const repository = await this.#customer.createRepository(`coming-${++this.#made}`);
      await this.#expect(repository, 200);
      this.#live.push({ repository, request: bytes(repository) });
      if (this.#live.length > present) await this.#remove();
      if (this.#made % 4 === 0) await this.#regenerate();
    }
    this.#connection.close();
  }

  stop(): void {
    this.#stopped = true;
  }

  async #remove(): Promise<void> {
    const { repository } = this.#live.shift()!;
    await wait(patienceMillis);
    await this.#customer.deleteRepository(repository);
    await this.#expect(repository, 'refused');
    this.#deleted++;
  }

  async #regenerate(): Promise<void> {
    const { repository } = this.#live.shift()!;
    await wait(patienceMillis);
    const old = { ...repository };
    await this.#customer.regenerate(repository);
    await this.#expect(repository, 200);
    await this.#expect(old, 'refused');
    this.#live.push({ repository, request: bytes(repository) });
  }

  async #expect(repository: BenchRepository, outcome: 200 | 'refused'): Promise<void> {
    const refused = await this.#connection.send(bytes(repository)).then(
      () => false,
      (error: Error) => {
        if (/^answered HTTP\/1.1 40[14] /.test(error.message)) return true;
        throw error;
      },
    );
    if (refused !== (outcome === 'refused'))
      throw new Error(`${repository.slug} was ${refused ? 'refused' : 'accepted'}, and should not have been`);
  }
}

const bytes = (repository: BenchRepository) => written(tokenRequest(repository));
