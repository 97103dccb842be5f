import pRetry from 'p-retry';
import { S3mini } from 's3mini';
import { z } from 'zod';
import { newId } from '@latchkey/database';
import { ConfigError } from '@latchkey/runtime';

/** A bucket, and the key with which it is entered. */
export interface BucketAddress {
  /** With the bucket in its path, or in its host. */
  endpoint: string;
  region: string;
  accessKeyId: string;
  secretAccessKey: string;
}

/** A bucket as an environment variable names it: `https://KEY:SECRET@s3.example.com/bucket?region=eu-central-1`. */
export const bucketAddress = z.url({ protocol: /^https?$/ }).transform((text, context): BucketAddress => {
  const { origin, pathname, username, password, searchParams } = new URL(text);
  const segments = pathname.split('/').filter(Boolean);
  if (username && password && segments.length <= 1)
    return {
      endpoint: [origin, ...segments].join('/'),
      region: searchParams.get('region') ?? 'us-east-1',
      accessKeyId: decodeURIComponent(username),
      secretAccessKey: decodeURIComponent(password),
    };
  context.addIssue({ code: 'custom', message: 'must be as in https://KEY:SECRET@s3.example.com/bucket?region=eu-central-1' });
  return z.NEVER;
});

/** The object store does not answer, or refuses what it should do: HTTP 503. */
export class StoreUnavailable extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'StoreUnavailable';
  }
}

/** For how long the store may leave a request without an answer; bytes may then take their time. */
const patienceMillis = 30_000;

/** A request is made three times at most, with 100 ms and then 400 ms before it is made again. */
const pauses = { retries: 2, minTimeout: 100, factor: 4 };

/** Objects that one request removes at most. */
const removedAtOnce = 1_000;

/** A fetch that gives up when no answer begins in time. */
const patientFetch: typeof fetch = async (input, init) => {
  const patience = new AbortController();
  const timer = setTimeout(() => patience.abort(new Error('no answer in time')), patienceMillis);
  try {
    return await fetch(input, { ...init, signal: patience.signal });
  } finally {
    clearTimeout(timer);
  }
};

/** A bucket of an S3-compatible store: objects that are written once and read by ranges. */
export class ObjectStore {
  readonly #bucket: S3mini;

  private constructor(bucket: S3mini) {
    this.#bucket = bucket;
  }

  /**
   * Tries the bucket: an object is written, read and removed.
   *
   * @param setting the variable that named the bucket, for the error.
   * @throws ConfigError that says what the store answered.
   */
  static async open(address: BucketAddress, setting: string): Promise<ObjectStore> {
    const store = new ObjectStore(new S3mini({ ...address, fetch: patientFetch }));
    const key = `latchkey-tried/${newId()}`;
    const bytes = Buffer.from('tried');
    try {
      await store.put(key, bytes);
      for await (const got of store.read(key, 1, 3)) if (!bytes.subarray(1, 3).equals(got)) throw new Error('it gives other bytes back');
      await store.remove([key]);
    } catch (error) {
      throw new ConfigError([`${setting}: the bucket at ${address.endpoint} cannot be used: ${reasonOf(error)}`]);
    }
    return store;
  }

  /** Writes an object. @throws StoreUnavailable */
  async put(key: string, bytes: Buffer): Promise<void> {
    const answer = await attempt(() => this.#bucket.putObject(key, new Uint8Array(bytes)));
    await answer.arrayBuffer();
  }

  /** Reads bytes of an object from `start` up to, not including, `end`, as they come. @throws StoreUnavailable */
  async *read(key: string, start: number, end: number): AsyncGenerator<Buffer> {
    const answer = await attempt(() => this.#bucket.getObjectRaw(key, false, start, end));
    let got = 0;
    try {
      for await (const bytes of answer.body ?? []) {
        got += bytes.length;
        yield Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
      }
    } catch (error) {
      throw new StoreUnavailable(`The store broke off: ${reasonOf(error)}`, { cause: error });
    }
    if (got !== end - start) throw new StoreUnavailable(`The store gave ${got} bytes where ${end - start} were asked for`);
  }

  /** Removes objects, whether they are there or not. @throws StoreUnavailable */
  async remove(keys: string[]): Promise<void> {
    for (let at = 0; at < keys.length; at += removedAtOnce) {
      const removed = await attempt(() => this.#bucket.deleteObjects(keys.slice(at, at + removedAtOnce)));
      if (!removed.every(Boolean)) throw new StoreUnavailable('The store kept an object that was to go');
    }
  }
}

/** Makes a request, and again when it failed on the way or by the store's fault. */
async function attempt<T>(request: () => Promise<T>): Promise<T> {
  try {
    return await pRetry(request, { ...pauses, shouldRetry: ({ error }) => !isRefusal(error) });
  } catch (error) {
    throw new StoreUnavailable(`The store failed: ${reasonOf(error)}`, { cause: error });
  }
}

function isRefusal(error: unknown): boolean {
  const { status } = error as { status?: unknown };
  return typeof status === 'number' && status < 500 && status !== 429;
}

/** In one line, without what a request held. */
function reasonOf(error: unknown): string {
  const { message, code, cause } = error as { message?: string; code?: string; cause?: unknown };
  const said = [message, code, cause === undefined ? '' : reasonOf(cause)];
  return said
    .reduce<string>((text, part) => (!part || text.includes(part) ? text : text ? `${text}: ${part}` : part), '')
    .replaceAll(/\s+/g, ' ')
    .slice(0, 300);
}
