import { writeFileSync } from 'node:fs';
import { constants, createHistogram, PerformanceObserver, type PerformanceEntry, type RecordableHistogram } from 'node:perf_hooks';
import { probeFile, type Delay, type Probed } from '../probe.js';

/*
 * Loaded before an app's program (`node --import`), by the benchmark alone: on SIGUSR2 it writes down what the process holds and
 * how late its event loop was since it was last asked. With `--expose-gc` it collects garbage first, which makes
 * everybody wait. Without, it says what the heap held after the latest whole collection, which V8 begins by itself.
 */
const everyMillis = 10;
const [whole, own] = [createHistogram(), createHistogram()];

/** The clock, and the processor time of all threads. */
const clocks = () => {
  const { user, system } = process.cpuUsage();
  return { micros: performance.now() * 1_000, used: user + system };
};
let before = clocks();
setInterval(() => {
  const now = clocks();
  // A tick that is on time takes its interval. What comes on top is ours for no more than the work that was done meanwhile:
  // Linux counts to no process what the host gave to others.
  const late = now.micros - before.micros - everyMillis * 1_000;
  record(whole, late);
  record(own, Math.min(late, now.used - before.used));
  before = now;
}, everyMillis).unref();

function record(histogram: RecordableHistogram, micros: number): void {
  histogram.record(Math.max(1, Math.round(micros))); // It knows no nought.
}

function told(histogram: RecordableHistogram): Delay {
  const millis = Array.from({ length: 100 }, (_, percent) => histogram.percentile(percent + 0.5) / 1_000);
  const delay = { millis, mostMillis: histogram.max / 1_000 };
  histogram.reset();
  return delay;
}

let collected: number | undefined;

/** What Node says of a collection, and its types leave out. */
type Collection = PerformanceEntry & { detail: { kind: number } };

new PerformanceObserver((list) => {
  const major = list.getEntries().some((entry) => (entry as Collection).detail.kind === constants.NODE_PERFORMANCE_GC_MAJOR);
  if (major) collected = process.memoryUsage().heapUsed;
}).observe({ entryTypes: ['gc'] });

process.on('SIGUSR2', () => {
  const { gc } = globalThis as { gc?: () => void };
  gc?.();
  const { rss, heapUsed } = process.memoryUsage();
  const probed: Probed = { rss, heapUsed: gc ? heapUsed : (collected ?? heapUsed), delay: told(whole), ownDelay: told(own) };
  writeFileSync(probeFile(process.pid), JSON.stringify(probed), { mode: 0o600 });
});
