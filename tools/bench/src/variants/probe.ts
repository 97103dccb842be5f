import { writeFileSync } from 'node:fs';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { probeFile, type Probed } from '../probe.js';

/*
 * Loaded before an app's program (`node --import`), by the benchmark alone: on SIGUSR2 it writes down what the process holds and
 * how late its event loop was since the last time. With `--expose-gc` it collects garbage first.
 */
const resolution = 10;
const delay = monitorEventLoopDelay({ resolution });
delay.enable();

process.on('SIGUSR2', () => {
  (globalThis as { gc?: () => void }).gc?.();
  const { rss, heapUsed } = process.memoryUsage();
  // It measures from tick to tick, and a tick that is on time takes as long as the resolution.
  const late = (nanos: number) => Math.max(0, nanos / 1e6 - resolution);
  const probed: Probed = { rss, heapUsed, delayP99Millis: late(delay.percentile(99)), delayMaxMillis: late(delay.max) };
  delay.reset();
  writeFileSync(probeFile(process.pid), JSON.stringify(probed), { mode: 0o600 });
});
