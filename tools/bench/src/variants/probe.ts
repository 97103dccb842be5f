import { writeFileSync } from 'node:fs';
import { constants, monitorEventLoopDelay, PerformanceObserver, type PerformanceEntry } from 'node:perf_hooks';
import { probeFile, type Probed } from '../probe.js';

/*
 * Loaded before an app's program (`node --import`), by the benchmark alone: on SIGUSR2 it writes down what the process holds and
 * how late its event loop was since it was last asked. With `--expose-gc` it collects garbage first, which makes
 * everybody wait. Without, it says what the heap held after the latest whole collection, which V8 begins by itself.
 */
const resolution = 10;
const delay = monitorEventLoopDelay({ resolution });
delay.enable();
let collected: number | undefined;

/** What Node says of a collection, and its types leave out. */
type Collection = PerformanceEntry & { detail: { kind: number } };

new PerformanceObserver((list) => {
  const whole = list.getEntries().some((entry) => (entry as Collection).detail.kind === constants.NODE_PERFORMANCE_GC_MAJOR);
  if (whole) collected = process.memoryUsage().heapUsed;
}).observe({ entryTypes: ['gc'] });

process.on('SIGUSR2', () => {
  // It measures from tick to tick, and a tick that is on time takes as long as the resolution.
  const late = (nanos: number) => Math.max(0, nanos / 1e6 - resolution);
  const delaysMillis = Array.from({ length: 100 }, (_, percent) => late(delay.percentile(percent + 0.5)));
  const delayMaxMillis = late(delay.max);
  const { gc } = globalThis as { gc?: () => void };
  gc?.();
  const { rss, heapUsed } = process.memoryUsage();
  const probed: Probed = { rss, heapUsed: gc ? heapUsed : (collected ?? heapUsed), delaysMillis, delayMaxMillis };
  delay.reset();
  writeFileSync(probeFile(process.pid), JSON.stringify(probed), { mode: 0o600 });
});
