/*
 * What `npm start`, `npm test`, `npm run build` and the like run, on a fresh clone, with any Node from 20 on and nothing
 * installed: it installs what package-lock.json says, builds what is stale, and hands over to the real program under the Node that
 * comes with the packages. Plain JavaScript, because nothing is there yet that could compile.
 */
import { spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { constants } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const leastNode = 24;

/** What may be asked for. The tests build for themselves, since a build that fails is one of their results. */
const programs = {
  start: { build: true, entry: 'tools/start/dist/main.js' },
  test: { build: false, entry: 'tools/test/src/main.ts' },
  build: { build: true, entry: undefined },
  seed: { build: true, entry: 'tools/seed/dist/main.js' },
  docs: { build: true, entry: 'node_modules/vitepress/bin/vitepress.js', args: ['build', 'docs'] },
  'docs:dev': { build: true, entry: 'node_modules/vitepress/bin/vitepress.js', args: ['dev', 'docs'] },
  chaos: { build: true, entry: 'tools/chaos/dist/main.js' },
  bench: { build: true, entry: 'tools/bench/dist/all.js' },
  'bench:soak': { build: true, entry: 'tools/bench/dist/soak.js' },
  'bench:cutoff': { build: true, entry: 'tools/bench/dist/cutoff.js' },
  'bench:authority': { build: true, entry: 'tools/bench/dist/authority.js' },
  'bench:repository-api': { build: true, entry: 'tools/bench/dist/repository-api.js' },
};

/** The process that a signal is for. */
let current;
let stopping = false;

/** A fault that the person at the terminal can put right. */
class Fault extends Error {}

async function main([name, ...args]) {
  const program = programs[name];
  if (!program) throw new Fault(`Unknown program "${name}": it is ${Object.keys(programs).join(', ')}.`);
  passOnSignals();
  if (!installed()) await install();
  // What one process has compiled, the next finds compiled: a quarter of what it takes to load an app.
  process.env.NODE_COMPILE_CACHE ??= join(root, 'node_modules/.cache/latchkey-compiled');
  const node = findNode();
  if (program.build) await build(node);
  if (program.entry === undefined) return 0;
  if (stopping) throw new Fault('Stopped.');
  // By the channel it notices when we are killed.
  return await run(node, [join(root, program.entry), ...(program.args ?? []), ...args], {
    cwd: program.args ? root : process.cwd(),
    stdio: ['inherit', 'inherit', 'inherit', 'ipc'],
  });
}

/** What was installed last; npm ci removes it with everything else. */
const stampFile = join(root, 'node_modules/.latchkey-installed');

function stamp() {
  return createHash('sha256')
    .update(readFileSync(join(root, 'package-lock.json')))
    .update(process.platform)
    .update(process.arch)
    .digest('hex');
}

/**
 * Whether node_modules is what package-lock.json says: because we installed it, or because npm's own record of a person's
 * `npm install` says so. Packages for other platforms may be missing.
 */
function installed() {
  if (existsSync(stampFile) && readFileSync(stampFile, 'utf8') === stamp()) return true;
  try {
    const packagesOf = (file) => JSON.parse(readFileSync(join(root, file), 'utf8')).packages;
    const [wanted, present] = [packagesOf('package-lock.json'), packagesOf('node_modules/.package-lock.json')];
    const same = (one, other) => one.version === other.version && one.integrity === other.integrity && one.link === other.link;
    return Object.entries(wanted).every(
      ([path, entry]) => !path.startsWith('node_modules/') || (present[path] ? same(entry, present[path]) : entry.optional === true),
    );
  } catch {
    return false;
  }
}

async function install() {
  console.log('Installing packages (the first time about a minute)…');
  // The npm that runs us, under its own Node: the one in node_modules is about to be replaced.
  const { npm_execpath: script, npm_node_execpath: node } = process.env;
  const [command, words] = script && node && existsSync(node) ? [node, [script]] : ['npm', []];
  // Whatever NODE_ENV says, the compiler is needed.
  const args = [...words, 'ci', '--include=dev', '--include=optional', '--no-audit', '--no-fund', '--loglevel=error'];
  const code = await run(command, args).catch((error) => error.code);
  if (code !== 0) throw new Fault(`npm ci failed (${code}), for the reason above: put that right and start again.`);
  writeFileSync(stampFile, stamp());
}

function findNode() {
  const own = join(root, 'node_modules/.bin/node');
  if (existsSync(own) && spawnSync(own, ['--version']).status === 0) return own;
  if (Number(process.versions.node.split('.')[0]) >= leastNode) return process.execPath;
  throw new Fault(
    `Latchkey needs Node ${leastNode} or newer, and there is no package of it for ${process.platform} on ${process.arch}: install it from https://nodejs.org (this is ${process.version}).`,
  );
}

async function build(node) {
  // Most times there is nothing to do, and nothing to say.
  const notice = setTimeout(() => console.log('Building…'), 700);
  const compiled = await run(node, [join(root, 'node_modules/typescript/bin/tsc'), '--build']);
  if (compiled !== 0) throw new Fault('The build failed, for the reasons above.');
  if (portalIsStale()) await buildPortal(node);
  clearTimeout(notice);
}

const portalPage = join(root, 'apps/portal/dist/index.html');

/** Asking Nx costs a second, looking at the files' times a few milliseconds. The portal is compiled against the tenant API. */
function portalIsStale() {
  if (!existsSync(join(root, 'apps/portal/index.html'))) return false;
  if (!existsSync(portalPage)) return true;
  const built = statSync(portalPage).mtimeMs;
  return ['apps/portal', 'apps/tenant-api/src', 'libs/contracts/src'].some((folder) => newest(join(root, folder)) > built);
}

function newest(folder) {
  const times = readdirSync(folder, { withFileTypes: true })
    .filter(({ name }) => name !== 'dist' && name !== 'node_modules')
    .map((entry) => (entry.isDirectory() ? newest(join(folder, entry.name)) : statSync(join(folder, entry.name)).mtimeMs));
  return Math.max(0, ...times);
}

/** Says nothing when all is well: three tools in a row have much to say. */
async function buildPortal(node) {
  const env = { ...process.env, NX_DAEMON: 'false', NX_TUI: 'false', PATH: `${join(root, 'node_modules/.bin')}:${process.env.PATH}` };
  const args = [join(root, 'node_modules/nx/dist/bin/nx.js'), 'build', '@latchkey/portal', '--outputStyle=static'];
  let output = '';
  const code = await run(node, args, { env, stdio: ['ignore', 'pipe', 'pipe'] }, (child) => {
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (output += chunk));
  });
  if (code !== 0) throw new Fault(`${output}\nThe build of the portal failed, for the reasons above.`);
  utimesSync(portalPage, new Date(), new Date()); // From the cache it comes with the time of its making.
}

/** Runs a program to its end and returns its exit code, as a shell would. */
async function run(command, args, options = {}, begun = () => {}) {
  current = spawn(command, args, { cwd: root, stdio: 'inherit', ...options });
  begun(current);
  const [code, signal] = await once(current, 'exit');
  return code ?? 128 + constants.signals[signal];
}

function passOnSignals() {
  const stop = (signal) => {
    stopping = true;
    current?.kill(signal);
  };
  // In a terminal Ctrl-C reaches everyone at once, and then again from us: whoever we run must bear that.
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, stop);
  // The launcher's own signal: it starts the apps anew.
  process.on('SIGUSR2', () => current?.kill('SIGUSR2'));
  // npm that is killed cannot tell us; then our parent changes.
  const parent = process.ppid;
  if (process.env.npm_lifecycle_event) setInterval(() => process.ppid !== parent && stop('SIGTERM'), 500).unref();
}

try {
  process.exit(await main(process.argv.slice(2)));
} catch (error) {
  console.error(stopping ? 'Stopped.' : error instanceof Fault ? error.message : error);
  process.exit(stopping && process.argv[2] === 'start' ? 0 : 1);
}
