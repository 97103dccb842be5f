import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { accessSync, constants, mkdtempSync, rmSync } from 'node:fs';
import { connect, createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';

/** A Redis for the tests, or none. */
export interface RedisOffer {
  url?: string;
  /** Where it comes from, for people. */
  from?: string;
  stop(): Promise<void>;
}

const startsWithinMillis = 10_000;

/** The one that REDIS_URL names, or else one started on a free port, which keeps nothing. */
export async function offerRedis(): Promise<RedisOffer> {
  const stop = async () => {};
  const given = process.env['REDIS_URL'];
  if (given) return { url: given, from: 'the one that REDIS_URL names', stop };
  const program = findProgram('redis-server');
  return program === undefined ? { stop } : await startRedis(program);
}

async function startRedis(program: string): Promise<RedisOffer> {
  const [port, folder] = [await freePort(), mkdtempSync(join(tmpdir(), 'latchkey-redis-'))];
  const args = ['--port', String(port), '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no', '--dir', folder];
  const child = spawn(program, args, { stdio: 'ignore' });
  const exited = once(child, 'exit').catch(() => {});
  for (const start = Date.now(); !(await answers(port)); await wait(50)) {
    if (child.exitCode !== null || Date.now() - start > startsWithinMillis) throw new Error(`${program} does not start on port ${port}`);
  }
  return {
    url: `redis://127.0.0.1:${port}`,
    from: program,
    async stop() {
      child.kill();
      await exited;
      rmSync(folder, { recursive: true });
    },
  };
}

/** Where a program is on the PATH, or nothing. */
export function findProgram(name: string): string | undefined {
  const paths = (process.env['PATH'] ?? '').split(delimiter).map((folder) => join(folder, name));
  return paths.find((path) => {
    try {
      accessSync(path, constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

async function freePort(): Promise<number> {
  const server = createServer();
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const { port } = server.address() as AddressInfo;
  await new Promise((closed) => server.close(closed));
  return port;
}

async function answers(port: number): Promise<boolean> {
  const socket = connect(port, '127.0.0.1').setTimeout(1_000, () => socket.destroy());
  try {
    socket.write('PING\r\n');
    const [data] = (await once(socket, 'data')) as [Buffer];
    return data.toString().startsWith('+PONG');
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}
