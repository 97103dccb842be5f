import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';

/** What arrived from one side and has not gone to the other. */
interface Held {
  chunk: Buffer;
  due: number;
}

/**
 * The way of one process to PostgreSQL, a TCP proxy on loopback. It can be cut, held up and made slow, as networks are.
 * What it carries arrives whole and in order, or the connection breaks.
 */
export class DatabaseLink {
  readonly #target: URL;
  readonly #server: Server;
  readonly #streams = new Set<Stream>();
  readonly #sockets = new Set<Socket>();
  #cut = false;
  #stalled = false;
  #answersHeld = false;
  #delayMillis = 0;

  private constructor(target: URL, server: Server) {
    this.#target = target;
    this.#server = server;
    server.on('connection', (near) => this.#carry(near));
  }

  /** Opens a way to the server of this URL. */
  static async to(url: string): Promise<DatabaseLink> {
    const server = createServer({ noDelay: true });
    await once(server.listen(0, '127.0.0.1'), 'listening');
    return new DatabaseLink(new URL(url), server);
  }

  /** The server's URL by this way. */
  get url(): string {
    const url = new URL(this.#target);
    url.hostname = '127.0.0.1';
    url.port = String((this.#server.address() as AddressInfo).port);
    return url.href;
  }

  /** Breaks every connection; new ones break at once until it is mended. */
  cut(): void {
    this.#cut = true;
    for (const socket of this.#sockets) socket.resetAndDestroy();
  }

  /** Holds everything back, in both directions, until it is mended. */
  stall(): void {
    this.#stalled = true;
  }

  /** Lets questions through and holds the answers back, until it is mended. */
  holdAnswers(): void {
    this.#answersHeld = true;
  }

  /** Makes everything late by so much, in each direction, until it is mended. */
  delay(millis: number): void {
    this.#delayMillis = millis;
  }

  mend(): void {
    this.#cut = false;
    this.#stalled = false;
    this.#answersHeld = false;
    this.#delayMillis = 0;
    for (const stream of this.#streams) stream.pump();
  }

  async close(): Promise<void> {
    this.#cut = true;
    for (const socket of this.#sockets) socket.destroy();
    await new Promise((closed) => this.#server.close(closed));
  }

  #carry(near: Socket): void {
    if (this.#cut) return void near.resetAndDestroy();
    const far = connect({ host: this.#target.hostname, port: Number(this.#target.port), noDelay: true });
    const delayMillis = () => this.#delayMillis;
    const streams = [
      new Stream(near, far, { delayMillis, stalled: () => this.#stalled }),
      new Stream(far, near, { delayMillis, stalled: () => this.#stalled || this.#answersHeld }),
    ];
    const sockets = [near, far];
    const end = () => {
      for (const stream of streams) this.#streams.delete(stream);
      for (const socket of sockets) {
        this.#sockets.delete(socket);
        socket.destroy();
      }
    };
    for (const stream of streams) this.#streams.add(stream);
    for (const socket of sockets) {
      this.#sockets.add(socket);
      socket.on('error', end);
      socket.on('close', end);
    }
  }
}

/** One direction of one connection. */
class Stream {
  readonly #held: Held[] = [];
  #timer: NodeJS.Timeout | undefined;

  constructor(
    readonly from: Socket,
    readonly to: Socket,
    readonly pace: { stalled: () => boolean; delayMillis: () => number },
  ) {
    from.on('data', (chunk: Buffer) => {
      this.#held.push({ chunk, due: performance.now() + pace.delayMillis() });
      this.pump();
    });
  }

  /** Passes on what is due; comes back by itself for what is not yet. */
  pump(): void {
    clearTimeout(this.#timer);
    while (this.#held.length > 0) {
      const [first] = this.#held as [Held];
      const early = first.due - performance.now();
      if (this.pace.stalled()) return;
      if (early > 0 && this.pace.delayMillis() > 0) {
        this.#timer = setTimeout(() => this.pump(), early);
        return;
      }
      this.#held.shift();
      if (!this.to.destroyed) this.to.write(first.chunk);
    }
  }
}
