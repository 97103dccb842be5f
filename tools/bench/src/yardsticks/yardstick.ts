import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';
import { fileURLToPath } from 'node:url';
import { canPin, processors } from '../machine.js';

/** A server that something of ours is compared with, on the same processor as ours. */
export interface Yardstick {
  origin: string;
  pid: number | undefined;
  stop(): Promise<void>;
}

/** @param name of the program in this folder. */
export async function startYardstick(name: 'bare-server' | 'plain-provider', ...args: string[]): Promise<Yardstick> {
  const port = await freePort();
  const program = [process.execPath, fileURLToPath(new URL(`${name}.js`, import.meta.url)), String(port), ...args];
  const [command, ...rest] = canPin ? ['taskset', '--cpu-list', String(processors.server), ...program] : program;
  // What it says to whoever develops with it is of no interest here.
  const child = spawn(command!, rest, { stdio: ['ignore', 'ignore', 'ignore', 'ipc'] });
  const ended = once(child, 'exit');
  const ready = once(child, 'message');
  await Promise.race([ready, ended.then(([code]) => Promise.reject(new Error(`the yardstick ${name} ended with ${String(code)}`)))]);
  return {
    origin: `http://127.0.0.1:${port}`,
    pid: child.pid,
    async stop() {
      child.kill();
      await ended;
    },
  };
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}
