import { execFile } from 'node:child_process';
import { copyFile, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { startProduct, type Product } from './product.js';

const readme = new URL('../../README.md', import.meta.url);
let product: Product;
let folder: string;

beforeAll(async () => {
  product = await startProduct();
  folder = await mkdtemp(join(tmpdir(), 'latchkey-readme-'));
  await copyFile(join(product.dataDir, 'first-credential.json'), join(folder, 'credential.json'));
});
afterAll(async () => {
  await product?.stop();
  await product?.clean();
  await rm(folder, { recursive: true, force: true });
});

/** What stands between ```sh and ``` in the README: the quickstart, as a person would paste it. */
async function quickstart(): Promise<string> {
  const blocks = [...(await readFile(readme, 'utf8')).matchAll(/^```sh\n([\s\S]*?)^```/gm)].map(([, block]) => block);
  expect(blocks).toHaveLength(1);
  return blocks[0] ?? '';
}

describe('the README', () => {
  it('has a quickstart that does the whole main job as it stands', async () => {
    const environment = { ...process.env, PATH: `${dirname(process.execPath)}:${process.env['PATH']}` };
    const { stdout } = await promisify(execFile)('bash', ['-euo', 'pipefail', '-c', await quickstart()], {
      cwd: folder,
      env: environment,
      timeout: 60_000,
    });
    expect(stdout).toContain('"Path":"/Root/Content/IT"');
    expect(stdout).toContain('"loginName":"anna"');
    expect(stdout).toMatch(/"preferred_username":"anna"/);
    expect(stdout).toMatch(/"Name":"anna"/);
    expect(stdout).toMatch(/old secret: \{"error":"invalid_client","error_description":"this secret was replaced at /);
    expect(stdout).toMatch(/old token: 401\n/);
    expect(stdout).toMatch(/new secret: 200\n/);
  });
});
