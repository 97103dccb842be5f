import { connect, type Socket } from 'node:net';

/** One request, the same each time it is sent. */
export interface Request {
  method: 'GET' | 'POST';
  path: string;
  headers: Record<string, string>;
  body?: string;
}

/** What a load measured. */
export interface Measured {
  /** Answers in the time of the load. */
  perSecond: number;
  /** Of each request, in milliseconds. */
  latencies: number[];
  /** Processor time that the server used for each request, in microseconds; undefined where it cannot be told. */
  processorMicros: number | undefined;
}

/**
 * Connections to one server, over which it is loaded. By bare sockets and requests that were written beforehand: so that a
 * server, and not whoever loads it, is what is measured. It reads just enough of HTTP/1.1 for the answers of these servers: a
 * status, a length or chunks, a body.
 */
export class RawLoad {
  readonly #connections: RawConnection[];
  #next = 0;

  private constructor(connections: RawConnection[]) {
    this.#connections = connections;
  }

  static async open(origin: string, connections: number): Promise<RawLoad> {
    const { hostname, port } = new URL(origin);
    return new RawLoad(await Promise.all(Array.from({ length: connections }, () => RawConnection.open(hostname, Number(port)))));
  }

  /**
   * Sends requests over all connections, each as soon as the one before it is answered, for so long. It may be called again
   * until the server closes what it takes for idle.
   *
   * @param requests sent one after the other, over and over, by all connections together.
   * @param usage the server's processor time so far, in microseconds.
   * @throws when any answer is not 200: a benchmark of errors measures nothing.
   */
  async run(seconds: number, requests: readonly Buffer[], usage: () => number | undefined): Promise<Measured> {
    const latencies: number[] = [];
    let inTime = 0;
    const usedBefore = usage();
    const deadline = performance.now() + seconds * 1_000;
    await Promise.all(
      this.#connections.map(async (connection) => {
        for (let now = performance.now(); now < deadline;) {
          await connection.send(requests[this.#next++ % requests.length]!);
          const then = performance.now();
          latencies.push(then - now);
          if (then <= deadline) inTime++;
          now = then;
        }
      }),
    );
    const used = usage();
    // Towards the end fewer and fewer are under way at a time, so what comes after it is not counted.
    const perSecond = inTime / seconds;
    const processorMicros = used === undefined || usedBefore === undefined ? undefined : (used - usedBefore) / latencies.length;
    return { perSecond, latencies, processorMicros };
  }

  close(): void {
    for (const connection of this.#connections) connection.close();
  }
}

/** Opens connections for one `run` of a `RawLoad`. */
export async function rawLoad(
  origin: string,
  connections: number,
  seconds: number,
  requests: readonly Buffer[],
  usage: () => number | undefined,
): Promise<Measured> {
  const load = await RawLoad.open(origin, connections);
  try {
    return await load.run(seconds, requests, usage);
  } finally {
    load.close();
  }
}

/** Sends each once, over a few connections. @throws when any answer is not 200. */
export async function sendAll(origin: string, requests: readonly Buffer[], connections = 16): Promise<void> {
  const { hostname, port } = new URL(origin);
  const queue = requests.values();
  const one = async () => {
    const connection = await RawConnection.open(hostname, Number(port));
    for (const request of queue) await connection.send(request);
    connection.close();
  };
  await Promise.all(Array.from({ length: connections }, one));
}

/** A request as it goes over the wire. */
export function written({ method, path, headers, body }: Request): Buffer {
  const length: [string, string][] = body === undefined ? [] : [['content-length', String(Buffer.byteLength(body))]];
  const lines = [['host', 'localhost'], ...Object.entries(headers), ...length].map(([name, value]) => `${name}: ${value}\r\n`);
  return Buffer.from(`${method} ${path} HTTP/1.1\r\n${lines.join('')}\r\n${body ?? ''}`);
}

/** A connection on which one request is under way at a time. */
export class RawConnection {
  readonly #socket: Socket;
  #received: Buffer = Buffer.alloc(0);
  #answer: { resolve: (text: string) => void; reject: (error: Error) => void } | undefined;

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.setNoDelay(true);
    socket.on('data', (data: Buffer) => this.#read(data));
    socket.on('error', (error) => this.#answer?.reject(error));
    socket.on('close', () => this.#answer?.reject(new Error('the connection was closed')));
  }

  static open(host: string, port: number): Promise<RawConnection> {
    return new Promise((resolve, reject) => {
      const socket = connect({ host, port }, () => resolve(new RawConnection(socket)));
      socket.once('error', reject);
    });
  }

  /** @returns head and body of the answer. @throws when it is not 200. */
  send(request: Buffer): Promise<string> {
    return new Promise((resolve, reject) => {
      this.#answer = { resolve, reject };
      this.#socket.write(request);
    });
  }

  close(): void {
    this.#answer = undefined;
    this.#socket.destroy();
  }

  #read(data: Buffer): void {
    this.#received = this.#received.length === 0 ? data : Buffer.concat([this.#received, data]);
    const end = this.#received.indexOf('\r\n\r\n');
    if (end < 0) return;
    const head = this.#received.toString('latin1', 0, end).toLowerCase();
    const length = /\r\ncontent-length: (\d+)/.exec(head)?.[1];
    const whole = length === undefined ? this.#received.subarray(-5).equals(lastChunk) : this.#received.length >= end + 4 + Number(length);
    if (!whole) return;
    const text = this.#received.toString('latin1');
    this.#received = Buffer.alloc(0);
    const answer = this.#answer;
    this.#answer = undefined;
    if (head.startsWith('http/1.1 200 ')) answer?.resolve(text);
    else answer?.reject(new Error(`answered ${text.slice(0, 400)}`));
  }
}

const lastChunk = Buffer.from('0\r\n\r\n');
