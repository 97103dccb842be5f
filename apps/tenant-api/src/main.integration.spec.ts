import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { createTestDatabase } from '@latchkey/database/testing';

async function freePort(): Promise<number> {
  const held = createServer().listen(0, '127.0.0.1');
  await once(held, 'listening');
  const { port } = held.address() as AddressInfo;
  await once(held.close(), 'close');
  return port;
}

describe('the process', () => {
  it('says that it serves no portal when there is none in PORTAL_DIR, and serves the API', async () => {
    const test = await createTestDatabase();
    const [port, key] = [await freePort(), () => `k1:${randomBytes(32).toString('base64')}`];
    const url = `http://127.0.0.1:${port}`;
    const child = spawn(process.execPath, [fileURLToPath(new URL('main.js', import.meta.url))], {
      env: {
        PORT: String(port),
        DATABASE_URL: test.url,
        SECRET_PEPPERS: key(),
        KEY_ENCRYPTION_KEYS: key(),
        AUTHORITY_URL_TEMPLATE: 'http://localhost:4100/{repository}',
        REPOSITORY_URL_TEMPLATE: 'http://localhost:4200/{repository}',
        TENANT_API_URL: url,
        PORTAL_URL: url,
        PORTAL_DIR: '/nowhere',
      },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const lines: { level: number; msg: string; folder?: string }[] = [];
    for await (const line of createInterface({ input: child.stdout })) {
      lines.push(JSON.parse(line) as (typeof lines)[0]);
      if (line.includes('"listening"')) break;
    }
    expect(lines).toContainEqual(
      expect.objectContaining({ level: 40, folder: '/nowhere', msg: expect.stringContaining('PORTAL_DIR') as string }),
    );
    expect([(await fetch(`${url}/healthz`)).status, (await fetch(url)).status]).toEqual([200, 404]);
    child.kill('SIGTERM');
    expect(await once(child, 'exit')).toEqual([0, null]);
    await test.drop();
  });
});
