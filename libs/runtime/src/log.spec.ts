import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync } from 'node:fs';
import { redact } from './log.js';

describe('a logged line', () => {
  it.each([
    ['lk_live_cs_0123456789012345678901234567890123456789012_abcdef', '[secret]'],
    ['?x=lk_test_ak_0123456789012345678901234567890123456789012_00AbZ9&y=1', '?x=[secret]&y=1'],
    ['lk_live_cs_…f0aB', 'lk_live_cs_…f0aB'],
    ['signed with whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw', 'signed with [secret]'],
    ['GET /x?apikey=abcd&y=1', 'GET /x?apikey=[secret]&y=1'],
    ['Bearer eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln end', 'Bearer [secret] end'],
    ['plain text', 'plain text'],
  ])('shows %s as %s', (line, shown) => expect(redact(line)).toBe(shown));
});

/** A program that has a logger. */
const program = (text: string) =>
  `import { createLogger } from '${new URL('./log.js', import.meta.url).href}'; const log = createLogger('x'); ${text}`;
const run = (text: string) =>
  spawnSync(process.execPath, ['--input-type=module', '--eval', program(text)], {
    encoding: 'utf8',
    maxBuffer: 100_000_000,
    timeout: 20_000,
  });

describe('the logger', () => {
  it.each(['process.exit(7)', 'throw new Error("ends it")', 'process.exitCode = 7'])(
    'has written every line when its process has ended by: %s',
    (end) => {
      const { stdout, status } = run(`for (let line = 0; line < 20_000; line++) log.info({ line }, 'counts'); ${end}`);
      const lines = stdout.split('\n').filter(Boolean);
      expect([status === 0, lines.length]).toEqual([false, 20_000]);
      expect(lines.map((line) => (JSON.parse(line) as { line: number }).line)).toEqual(Array.from({ length: 20_000 }, (_, line) => line));
    },
  );

  it('holds up nothing when nobody takes what is written', async () => {
    const text = `for (let line = 0; line < 20_000; line++) log.info({ line }, 'counts'); setTimeout(() => console.error('lives'), 100);`;
    const child = spawn(process.execPath, ['--input-type=module', '--eval', program(`${text} setInterval(() => {}, 1000);`)], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    try {
      const [said] = (await once(child.stderr, 'data', { signal: AbortSignal.timeout(20_000) })) as [Buffer];
      expect(said.toString()).toBe('lives\n');
    } finally {
      child.kill('SIGKILL');
    }
  });

  it('goes on when what it writes to is full', () => {
    const full = openSync('/dev/full', 'w');
    const { stderr, status } = spawnSync(
      process.execPath,
      ['--input-type=module', '--eval', program(`log.info('lost'); setTimeout(() => { console.error('lives'); process.exit(0); }, 100);`)],
      { encoding: 'utf8', stdio: ['ignore', full, 'pipe'], timeout: 20_000 },
    );
    closeSync(full);
    expect([stderr, status]).toEqual(['lives\n', 0]);
  });

  it('censors members with a telling name and shows the code of an error', () => {
    const { stdout } = run(
      `log.error({ err: Object.assign(new Error('lost'), { code: 'ECONNREFUSED' }), password: 'hunter2', deep: { secret: 'hunter2' } }, 'failed');`,
    );
    expect(stdout).toContain('ECONNREFUSED');
    expect(stdout).not.toContain('hunter2');
  });
});
