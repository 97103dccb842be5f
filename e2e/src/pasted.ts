import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { dirname, extname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const here = dirname(fileURLToPath(import.meta.url));
const modules = fileURLToPath(new URL('../../node_modules', import.meta.url));

/** Runs a program to its end. @throws with what it printed, when it fails or takes half a minute. */
export const run = (program: string, args: string[], options: { cwd: string; env?: NodeJS.ProcessEnv }) =>
  promisify(execFile)(program, args, { timeout: 30_000, ...options }).catch((error: Error & { stdout?: string; stderr?: string }) => {
    throw new Error(`${program} ${args.join(' ')}: ${error.message}\n${error.stdout}\n${error.stderr}`);
  });

/** A folder with what somebody has copied or pasted into it. It is where packages of this repository are found. */
export async function folderOf(files: Record<string, string>): Promise<{ path: string; remove: () => Promise<void> }> {
  const path = await mkdtemp(join(here, 'pasted-'));
  for (const [name, text] of Object.entries(files)) {
    await mkdir(dirname(join(path, name)), { recursive: true });
    await writeFile(join(path, name), text);
  }
  return { path, remove: () => rm(path, { recursive: true, force: true }) };
}

const types: Record<string, string> = { '.html': 'text/html', '.js': 'text/javascript' };

/** A web server for an app that is built after its address is known. */
export class Site {
  #folder = '';
  readonly #server: Server = createServer((request, response) => {
    const { pathname } = new URL(request.url ?? '/', 'http://localhost');
    const file = pathname === '/' ? '/index.html' : pathname;
    readFile(join(this.#folder, file)).then(
      (bytes) => response.writeHead(200, { 'content-type': types[extname(file)] ?? 'text/plain' }).end(bytes),
      () => response.writeHead(404).end(),
    );
  });

  /** Listens; `url` is its address from then on. */
  async open(): Promise<this> {
    await new Promise<void>((resolve) => void this.#server.listen(0, '127.0.0.1', resolve));
    return this;
  }

  get origin(): string {
    return `http://localhost:${(this.#server.address() as AddressInfo).port}`;
  }

  get url(): string {
    return `${this.origin}/`;
  }

  /** Checks types, where there is a tsconfig.json, and builds with Vite, as the app's own `npm run build` would; then serves it. */
  async show(folder: string, typed: boolean): Promise<void> {
    const node = (script: string, ...args: string[]) => run(process.execPath, [join(modules, script), ...args], { cwd: folder });
    if (typed) await node('typescript/bin/tsc');
    await node('vite/bin/vite.js', 'build', '--logLevel', 'warn');
    this.#folder = join(folder, 'dist');
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => void this.#server.close(resolve));
  }
}
