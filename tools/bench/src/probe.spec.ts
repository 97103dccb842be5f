import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as wait } from 'node:timers/promises';
import { probe, probeArguments } from './probe.js';

describe('what a process says of itself', () => {
  let asked: ChildProcess;

  /** Runs a program that works for 300 ms without a pause when it is told to, and has begun to be measured. */
  beforeEach(async () => {
    const program = `process.on('SIGHUP', () => {
      for (const end = performance.now() + 300; performance.now() < end; );
      process.stdout.write('worked');
    });
    setInterval(() => undefined, 1_000);
    process.stdout.write('here');`;
    asked = spawn(process.execPath, [...probeArguments, '--eval', program], { stdio: ['ignore', 'pipe', 'inherit'] });
    await once(asked.stdout!, 'data');
    await probe(asked.pid!);
  });
  afterEach(async () => {
    asked.kill('SIGKILL');
    await once(asked, 'exit');
  });

  it('has the delay that its own work made', async () => {
    asked.kill('SIGHUP');
    await once(asked.stdout!, 'data');
    await wait(50);
    const { delay, ownDelay } = await probe(asked.pid!);
    // The host may have given part of the 300 ms to others, and that is no work.
    expect(delay.mostMillis).toBeGreaterThan(250);
    expect(ownDelay.mostMillis).toBeGreaterThan(50);
    expect(ownDelay.mostMillis).toBeLessThanOrEqual(delay.mostMillis);
  });

  it('has the delay while it was not let work, but not as its own', async () => {
    asked.kill('SIGSTOP');
    await wait(300);
    asked.kill('SIGCONT');
    await wait(50);
    const { delay, ownDelay } = await probe(asked.pid!);
    expect(delay.mostMillis).toBeGreaterThan(250);
    expect(ownDelay.mostMillis).toBeLessThan(50);
  });
});
