import { spawnSync } from 'node:child_process';

const fileOf = (name: string) => JSON.stringify(new URL(name, import.meta.url).href);
/** What a process says that starts like this. */
const start = (main: string) => {
  const program = `import { runMain } from ${fileOf('./run-main.js')}; import { ConfigError } from ${fileOf('./config.js')}; runMain('an-app', async () => { ${main} });`;
  const { stdout, stderr, status } = spawnSync(process.execPath, ['--input-type=module', '--eval', program], { encoding: 'utf8' });
  return { stdout, stderr, status };
};

describe('a process that cannot start', () => {
  it('says what is wrong with its configuration, and nothing else', () => {
    const stderr = 'The configuration is not valid:\n  - PORT is required\n';
    expect(start(`throw new ConfigError(['PORT is required']);`)).toEqual({ stdout: '', stderr, status: 1 });
  });

  it('says by name what it met and where, without a secret', () => {
    const { stderr, status } = start(`throw new Error('no answer to lk_live_cs_0123456789012345678901234567890123456789012_abcdef');`);
    expect(stderr).toMatch(/^an-app: Error: no answer to \[secret\]\n {4}at /);
    expect(status).toBe(1);
  });

  it('says what to run when the database has not been set up', () => {
    const { stderr } = start(`throw Object.assign(new Error('relation "nodes" does not exist'), { code: '42P01' });`);
    expect(stderr).toMatch(
      /^an-app: Error: relation "nodes" does not exist\n[^]*\nIs the database set up.* Run .*setup\.js before the apps\.\n$/,
    );
  });
});
