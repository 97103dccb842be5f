import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { browserSpecs, findChromium } from './chromium.ts';
import type { CommandRunner } from './command.ts';
import { offerRedis, type RedisOffer } from './redis.ts';
import type { Stage, Tally } from './stage.ts';

/** What is pure. */
export const unit: Stage = { name: 'unit', run: (commands) => runJest(commands, 'unit', 600, ['--maxWorkers=2']) };

/** With a real PostgreSQL, and a real Redis where there is one: three files at a time, since two leave a fifth of two processors unused. */
export const integration: Stage = {
  name: 'integration',
  run: (commands) => withRedis((redis) => runJest(commands, 'integration', 1_500, ['--maxWorkers=3'], redis)),
};

/** With everything up as processes, in a browser where there is one: three files at a time, which fill two processors. */
export const e2e: Stage = {
  name: 'e2e',
  run: (commands) => {
    announceDotnet();
    const ignored = withoutBrowser().map((pattern) => `--testPathIgnorePatterns=${pattern}`);
    return withRedis((redis) => runJest(commands, 'e2e', 1_800, ['--maxWorkers=3', ...ignored], { ...redis, ...browserEnvironment() }));
  },
};

/** Says beforehand what the specs find out for themselves. */
function announceDotnet(): void {
  const { status, stdout } = spawnSync('dotnet', ['--version'], { encoding: 'utf8' });
  if (status === 0 && Number.parseInt(stdout, 10) >= 8) console.log(`.NET SDK: ${stdout.trim()}`);
  else
    console.log(
      '.NET SDK: skipped building and running examples/dotnet and the .NET configuration of the portal, because there is none; install 8 or newer.',
    );
}

/** The specs look in fewer places than the PATH has. */
function browserEnvironment(): NodeJS.ProcessEnv {
  const chromium = findChromium();
  return chromium ? { CHROMIUM_PATH: chromium } : {};
}

function withoutBrowser(): string[] {
  const chromium = findChromium();
  const specs = chromium === undefined ? browserSpecs() : [];
  console.log(
    chromium ? `Chromium: ${chromium}` : `Chromium: skipped ${specs.join(', ')}, because there is none; install one or set CHROMIUM_PATH.`,
  );
  return specs.map((name) => `/${name}\\.js$`);
}

async function withRedis(run: (environment: NodeJS.ProcessEnv) => Promise<Tally>): Promise<Tally> {
  const redis: RedisOffer = await offerRedis();
  console.log(redis.url ? `Redis: ${redis.from}` : 'Redis: skipped, because there is no redis-server; install one or set REDIS_URL.');
  try {
    return await run(redis.url ? { REDIS_URL: redis.url } : {});
  } finally {
    await redis.stop();
  }
}

interface JestReport {
  numPassedTests: number;
  numFailedTests: number;
  numPendingTests: number;
  /** Files that could not even be loaded. */
  numRuntimeErrorTestSuites: number;
}

async function runJest(
  commands: CommandRunner,
  project: string,
  withinSeconds: number,
  args: string[],
  environment: NodeJS.ProcessEnv = {},
): Promise<Tally> {
  const folder = mkdtempSync(join(tmpdir(), 'latchkey-report-'));
  const report = join(folder, 'report.json');
  const code = await commands.run({
    script: 'node_modules/jest/bin/jest.js',
    args: ['--selectProjects', project, '--passWithNoTests', '--forceExit', '--json', '--outputFile', report, ...args],
    environment: { NODE_OPTIONS: '--enable-source-maps', ...environment },
    withinSeconds,
  });
  const tally = read(report);
  rmSync(folder, { recursive: true });
  // Whatever Jest counted: when it did not end well, something failed.
  return code === 0 || tally.failed > 0 ? tally : { ...tally, failed: 1 };
}

function read(report: string): Tally {
  try {
    const { numPassedTests, numFailedTests, numPendingTests, numRuntimeErrorTestSuites } = JSON.parse(
      readFileSync(report, 'utf8'),
    ) as JestReport;
    return { passed: numPassedTests, failed: numFailedTests + numRuntimeErrorTestSuites, skipped: numPendingTests };
  } catch {
    return { passed: 0, failed: 0 }; // It was ended before it could report.
  }
}
