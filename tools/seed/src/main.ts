import { open } from 'node:fs/promises';
import { KeyRing } from '@latchkey/credentials';
import { Database } from '@latchkey/database';
import { AddressTemplate } from '@latchkey/runtime';
import { Complaint } from '@latchkey/start/command-line';
import { openKeptInstallation } from '@latchkey/start/kept-installation';
import { writeHistory } from './history.js';
import { parseOptions, usage, type Options } from './options.js';
import { seed, SeedRefused, type SeededRepository } from './seed.js';

/*
 * `npm run seed`: fills an installation with repositories, to see how it is with many.
 */

const insufficientPrivilege = '42501';

const say = (line: string) => void process.stdout.write(`${line}\n`);

async function main(options: Options): Promise<void> {
  const sample = options.sample === undefined ? undefined : await openSample(options.sample);
  const installation = await openKeptInstallation(options.dataDir, process.env);
  try {
    const database = await Database.connect({ url: installation.databaseUrl, poolSize: 2, applicationName: 'latchkey-seed' });
    const [peppers, encryption] = [installation.secretPeppers, installation.keyEncryptionKeys].map((text) => KeyRing.parse(text)) as [
      KeyRing,
      KeyRing,
    ];
    try {
      // Only links that are not shown come of it.
      const authorityUrls = new AddressTemplate(process.env['AUTHORITY_URL_TEMPLATE'] || 'http://localhost:4100/{repository}');
      const kept = await makeRepositories({ database, peppers, encryption, authorityUrls }, options);
      await sample?.write(kept);
    } finally {
      await database.close();
    }
    if (options.history > 0) await makeHistory(installation.ownerUrl, encryption, options.history);
  } finally {
    await sample?.close();
    await installation.close();
  }
}

async function makeRepositories(target: Parameters<typeof seed>[0], options: Options): Promise<SeededRepository[]> {
  const kept: SeededRepository[] = [];
  const step = Math.max(1, Math.floor(options.repositories / options.sampleSize));
  const progress = everySecond();
  const begun = performance.now();
  const count = await seed(target, options, (repository, made) => {
    if (options.sample !== undefined && made % step === 0 && kept.length < options.sampleSize) kept.push(repository);
    progress(() => `${made} made, ${rate(made, begun)} each second`);
  });
  say(
    count === 0
      ? `There are ${options.repositories} seeded repositories or more already.`
      : `${count} repositories made, ${rate(count, begun)} each second.`,
  );
  return kept;
}

async function makeHistory(ownerUrl: string, encryption: KeyRing, days: number): Promise<void> {
  const progress = everySecond();
  const done = (tenants: number, of: number) => progress(() => `the past of ${tenants} tenants out of ${of} is written`);
  await writeHistory(ownerUrl, encryption, days, done).catch((error: unknown) => {
    if ((error as { code?: string }).code !== insufficientPrivilege) throw error;
    throw new Complaint('A past can only be written by the owner of the tables: name that login in DATABASE_OWNER_URL.', { cause: error });
  });
  say(`The past of ${days} days is written.`);
}

const rate = (count: number, begun: number) => Math.round(count / ((performance.now() - begun) / 1_000));

function everySecond(): (line: () => string) => void {
  let last = performance.now();
  return (line) => {
    if (performance.now() - last < 1_000) return;
    last = performance.now();
    say(line());
  };
}

/** Known to be writable before there is anything to write. */
async function openSample(file: string) {
  const handle = await open(file, 'w', 0o600).catch((error: NodeJS.ErrnoException) => {
    throw new Complaint(`Cannot write ${file} (${error.code ?? error.message}): choose another file with --sample.`);
  });
  await handle.chmod(0o600);
  return {
    write: (repositories: SeededRepository[]) => handle.writeFile(`${JSON.stringify(repositories, null, 2)}\n`),
    close: () => handle.close(),
  };
}

if (process.argv.includes('--help')) {
  process.stdout.write(usage);
  process.exit(0);
}
// A transaction that is under way is given up by the server.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP', 'disconnect'] as const) process.on(signal, () => process.exit(1));
try {
  await main(parseOptions(process.argv.slice(2)));
  process.exit(0);
} catch (error) {
  const expected = error instanceof Complaint || error instanceof SeedRefused;
  process.stderr.write(`${expected ? error.message : error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
  process.exit(1);
}
