import { spawnSync } from 'node:child_process';
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

describe('the logger', () => {
  it('censors members with a telling name and shows the code of an error', () => {
    const program = `import { createLogger } from '${new URL('./log.js', import.meta.url).href}';
      createLogger('x').error({ err: Object.assign(new Error('lost'), { code: 'ECONNREFUSED' }), password: 'hunter2', deep: { secret: 'hunter2' } }, 'failed');`;
    const { stdout } = spawnSync(process.execPath, ['--input-type=module', '--eval', program], { encoding: 'utf8' });
    expect(stdout).toContain('ECONNREFUSED');
    expect(stdout).not.toContain('hunter2');
  });
});
