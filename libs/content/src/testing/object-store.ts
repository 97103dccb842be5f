import { createRequire } from 'node:module';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { bucketAddress, type BucketAddress } from '../object-store.js';

/** An S3-compatible server with one bucket, which checks signatures and keeps objects in a folder. */
export interface TestObjectStore {
  address: BucketAddress;
  /** Keys of the objects whose key begins so. */
  keys(prefix?: string): Promise<string[]>;
  /** Ends it; what is called afterwards finds nobody. */
  stop(): Promise<void>;
}

interface S3Server {
  run(): Promise<{ port: number }>;
  close(): Promise<void>;
}
type S3ServerClass = new (options: object) => S3Server;

/** Starts a server on a port of its own. */
export async function startObjectStore(): Promise<TestObjectStore> {
  const S3rver = createRequire(import.meta.url)('@20minutes/s3rver') as S3ServerClass;
  const directory = await mkdtemp(join(tmpdir(), 'latchkey-objects-'));
  const server = new S3rver({ address: '127.0.0.1', port: 0, silent: true, directory, configureBuckets: [{ name: 'files' }] });
  const { port } = await server.run();
  let stopped = false;
  return {
    address: bucketAddress.parse(`http://S3RVER:S3RVER@127.0.0.1:${port}/files`),
    async keys(prefix = '') {
      const files = await readdir(join(directory, 'files'), { recursive: true });
      const found = files.flatMap((file) => /^(.*)\._S3rver_object$/.exec(file)?.[1] ?? []);
      return found.filter((key) => key.startsWith(prefix)).toSorted();
    },
    async stop() {
      if (stopped) return;
      stopped = true;
      await server.close();
      await rm(directory, { recursive: true, force: true });
    },
  };
}
