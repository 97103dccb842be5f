import { execFile, spawn, spawnSync } from 'node:child_process';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { dirname, extname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const here = dirname(fileURLToPath(import.meta.url));
const modules = fileURLToPath(new URL('../../node_modules', import.meta.url));

/** Runs a program to its end. @throws with what it printed, when it fails or takes two minutes. */
export const run = (program: string, args: string[], options: { cwd: string; env?: NodeJS.ProcessEnv }) =>
  promisify(execFile)(program, args, { timeout: 120_000, ...options }).catch((error: Error & { stdout?: string; stderr?: string }) => {
    throw new Error(`${program} ${args.join(' ')}: ${error.message}\n${error.stdout}\n${error.stderr}`);
  });

export interface Folder {
  path: string;
  remove: () => Promise<void>;
}

/** A folder with what somebody has copied or pasted into it. It is where packages of this repository are found. */
export async function folderOf(files: Record<string, string>): Promise<Folder> {
  const path = await mkdtemp(join(here, 'pasted-'));
  for (const [name, text] of Object.entries(files)) {
    await mkdir(dirname(join(path, name)), { recursive: true });
    await writeFile(join(path, name), text);
  }
  return { path, remove: () => rm(path, { recursive: true, force: true }) };
}

/** A tool that runs until it is stopped. */
export interface RunningTool {
  /** Waits until it says something like this, from now on. @throws with what it said instead within ten seconds. */
  hears: (words: RegExp) => Promise<void>;
  stop: () => void;
}

/** Starts a tool and listens to both its outputs. */
export function startTool(program: string, args: string[], options: { cwd: string; env: NodeJS.ProcessEnv }): RunningTool {
  const child = spawn(program, args, { ...options, stdio: ['ignore', 'pipe', 'pipe'] });
  let said = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (text: Buffer) => void (said += text.toString()));
  return {
    async hears(words) {
      for (let wait = 0; !words.test(said); wait++) {
        if (wait > 100) throw new Error(`it did not say ${words}: ${said}`);
        await new Promise((resolve) => setTimeout(resolve, 100));
      }
      said = '';
    },
    stop: () => void child.kill(),
  };
}

/** The major version of the .NET SDK that is here, if it is 8 or newer. */
export function findDotnet(): number | undefined {
  const { status, stdout } = spawnSync('dotnet', ['--version'], { encoding: 'utf8' });
  const major = status === 0 ? Number.parseInt(stdout, 10) : 0;
  return major >= 8 ? major : undefined;
}

/** Compiles the project in a folder, with whatever SDK is here and without leaving a process behind. @returns the program, for `dotnet`. */
export async function buildDotnet(folder: string, major: number): Promise<string> {
  const alone = ['-nodeReuse:false', '-p:UseSharedCompilation=false', '-p:UseAppHost=false', `-p:TargetFramework=net${major}.0`];
  const env = { ...process.env, DOTNET_CLI_HOME: folder, DOTNET_CLI_TELEMETRY_OPTOUT: '1', DOTNET_NOLOGO: '1' };
  await run('dotnet', ['build', '--output', 'out', ...alone], { cwd: folder, env });
  return join(folder, 'out/Tool.dll');
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
