import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

it('a process gives back what it held only for a time, and goes on without a collector of its own', async () => {
  const program = `
    const { releaseStartMemory } = await import(${JSON.stringify(new URL('./release-memory.js', import.meta.url).href)});
    let held = [];
    for (let i = 0; i < 3_000_000; i++) held.push({ i });
    held = undefined;
    const before = process.memoryUsage.rss();
    releaseStartMemory();
    console.log(JSON.stringify({ before, after: process.memoryUsage.rss(), gc: typeof gc }));`;
  const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '--eval', program]);
  const { before, after, gc } = JSON.parse(stdout) as { before: number; after: number; gc: string };
  expect(after).toBeLessThan(before * 0.75);
  expect(gc).toBe('undefined');
});
