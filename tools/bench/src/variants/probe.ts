import { writeFileSync } from 'node:fs';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { probeFile, type Probed } from '../probe.js';

/*
 * Loaded before an app's program (`node --import`), by the benchmark alone: on SIGUSR2 it writes down what the process holds and
 * how late its event loop was since it was asked for the first time. With `--expose-gc` it collects garbage first.
 */
const resolution = 10;
const delay = monitorEventLoopDelay({ resolution });
delay.enable();
let asked = false;

process.on('SIGUSR2', () => {
  // It measures from tick to tick, and a tick that is on time takes as long as the resolution.
  const late = (nanos: number) => Math.max(0, nanos / 1e6 - resolution);
  const [delayP99Millis, delayMaxMillis] = [late(delay.percentile(99)), late(delay.max)];
  (globalThis as { gc?: () => void }).gc?.();
  const { rss, heapUsed } = process.memoryUsage();
  const probed: Probed = { rss, heapUsed, delayP99Millis, delayMaxMillis };
  if (!asked) delay.reset();
  asked = true;
  writeFileSync(probeFile(process.pid), JSON.stringify(probed), { mode: 0o600 });
});
