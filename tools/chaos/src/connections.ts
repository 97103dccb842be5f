import { Client, Pool, type Dispatcher } from 'undici';
import type { Span } from './history.js';

/** Longer than any pause of a process, so that what it does afterwards is seen. */
const patienceMillis = 14_000;

export interface Call {
  method: 'GET' | 'POST' | 'PATCH' | 'DELETE';
  path: string;
  headers?: Record<string, string>;
  body?: string;
}

/** What came back, and when: `end` is when its first bytes were here, or when it was clear that none would come. */
export interface Reply extends Span {
  /** Undefined when there was no answer. */
  status: number | undefined;
  text: string;
  headers: Record<string, string | string[] | undefined>;
  /** The error's code, when there was no answer. */
  fault: string | undefined;
}

/** Connections to one process, each from an address of its own within 127.0.0.0/8, as so many callers. */
export class Connections {
  readonly #pool: Pool;

  constructor(origin: string, connections: number) {
    this.#pool = new Pool(origin, {
      connections,
      factory: (base, options) =>
        new Client(base, {
          ...(options as Client.Options),
          pipelining: 1,
          headersTimeout: patienceMillis,
          bodyTimeout: patienceMillis,
          connect: { timeout: 5_000 },
          ...callerAddress(),
        }),
    });
  }

  /** Never throws: that nothing came back is an answer too. */
  async call({ method, path, headers, body }: Call): Promise<Reply> {
    const begin = performance.now();
    let end = begin;
    try {
      const response: Dispatcher.ResponseData = await this.#pool.request({ method, path, headers: headers ?? {}, body: body ?? null });
      end = performance.now();
      const text = await response.body.text();
      return { begin, end, status: response.statusCode, text, headers: response.headers, fault: undefined };
    } catch (error) {
      const { code, name } = error as NodeJS.ErrnoException;
      return { begin, end: performance.now(), status: undefined, text: '', headers: {}, fault: code ?? name };
    }
  }

  async close(): Promise<void> {
    await this.#pool.destroy();
  }
}

let callers = 0;

/** Linux gives all of 127.0.0.0/8 to loopback; elsewhere there is one address. */
function callerAddress(): { localAddress?: string } {
  if (process.platform !== 'linux') return {};
  callers++;
  return { localAddress: `127.${1 + ((callers >> 15) & 0x7f)}.${(callers >> 7) & 0xff}.${1 + (callers & 0x7f)}` };
}

/** A form, as OAuth endpoints take it. */
export function form(fields: Record<string, string>): { headers: Record<string, string>; body: string } {
  return { headers: { 'content-type': 'application/x-www-form-urlencoded' }, body: new URLSearchParams(fields).toString() };
}

/** HTTP Basic (RFC 7617). Client IDs and secrets are made of unreserved characters, so nothing is encoded. */
export const basic = (clientId: string, secret: string) => `Basic ${Buffer.from(`${clientId}:${secret}`).toString('base64')}`;
