import { Pool } from 'undici';

/** One request, the same each time it is sent. */
export interface Request {
  method: 'GET' | 'POST';
  path: string;
  headers: Record<string, string>;
  body?: string;
}

/** What a load measured. */
export interface Measured {
  perSecond: number;
  /** Of each request, in milliseconds. */
  latencies: number[];
  /** Processor time that the server used for each request, in microseconds; undefined where it cannot be told. */
  processorMicros: number | undefined;
}

/**
 * Sends requests over so many connections, each as soon as the one before it is answered, for so long.
 *
 * @param next gives the next request, so that a load can go over many repositories.
 * @param usage the server's processor time so far, in microseconds.
 * @throws when any answer is not 200: a benchmark of errors measures nothing.
 */
export async function load(
  origin: string,
  connections: number,
  seconds: number,
  next: () => Request,
  usage: () => number | undefined,
): Promise<Measured> {
  const pool = new Pool(origin, { connections, pipelining: 1 });
  const latencies: number[] = [];
  const usedBefore = usage();
  const begun = performance.now();
  const deadline = begun + seconds * 1_000;
  const one = async () => {
    for (let now = performance.now(); now < deadline;) {
      const { method, path, headers, body } = next();
      const response = await pool.request({ method, path, headers, body: body ?? null });
      const text = await response.body.text();
      if (response.statusCode !== 200) throw new Error(`${method} ${path} answered ${response.statusCode}: ${text.slice(0, 300)}`);
      const then = performance.now();
      latencies.push(then - now);
      now = then;
    }
  };
  try {
    await Promise.all(Array.from({ length: connections }, one));
  } finally {
    await pool.destroy();
  }
  const used = usage();
  const perSecond = latencies.length / ((performance.now() - begun) / 1_000);
  const processorMicros = used === undefined || usedBefore === undefined ? undefined : (used - usedBefore) / latencies.length;
  return { perSecond, latencies, processorMicros };
}
