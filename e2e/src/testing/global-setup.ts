import { startSharedProduct } from '../shared-product.js';

let stop: (() => Promise<void>) | undefined;

/** What Jest runs before the files of e2e. */
export default async function setUp(): Promise<void> {
  stop = await startSharedProduct();
}

/** What Jest runs after them. */
export async function tearDown(): Promise<void> {
  await stop?.();
}
