import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';

const appFolder = join(import.meta.dirname, '../..');

export const readGuide = (name: string) => readFileSync(join(appFolder, '../../docs/guides', name), 'utf8');

/** Runs the first program in JavaScript that a guide shows, as a reader would who has copied it. */
export async function startReceiver(
  guide: string,
  environment: Record<string, string>,
): Promise<{ url: string; stop: () => Promise<void> }> {
  // Below the app, so that it finds its packages.
  const folder = await mkdtemp(join(appFolder, 'dist/guide-'));
  const [, code = ''] = /```js\n(.*?)```/s.exec(guide) ?? [];
  await writeFile(join(folder, 'receiver.mjs'), code);
  const port = await freePort();
  const url = `http://localhost:${port}`;
  const env = { PATH: '', PORT: String(port), ...environment };
  const receiver = spawn(process.execPath, [join(folder, 'receiver.mjs')], { env, stdio: 'ignore' });
  while (!(await fetch(url).then(Boolean, () => false))) {
    if (receiver.exitCode !== null) throw new Error(`The receiver ended with ${receiver.exitCode} before it listened on port ${port}.`);
    await wait(20);
  }
  return {
    url,
    stop: async () => {
      receiver.kill();
      await rm(folder, { recursive: true });
    },
  };
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}
