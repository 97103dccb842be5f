import { startTestServer } from './cluster.js';

let stop: (() => Promise<void>) | undefined;

/** What Jest runs before the integration tests. */
export default async function setUp(): Promise<void> {
  stop = await startTestServer();
}

/** What Jest runs after them. */
export async function tearDown(): Promise<void> {
  await stop?.();
}
