import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client';

export { Counter, Gauge, Histogram };

/**
 * What this process measures. A metric is made once, at the top of the file that measures it:
 * `new Counter({ name: 'latchkey_…_total', help: '…', registers: [metrics] })`. Names begin with `latchkey_` and end in the
 * unit; labels have few values: never an id, an address or anything a caller chose.
 */
export const metrics = new Registry();

let collecting = false;

/** Adds what Node itself knows of the process (memory, event loop, collections), once. */
export function measureProcess(): void {
  if (collecting) return;
  collecting = true;
  collectDefaultMetrics({ register: metrics });
}

/** All metrics in the text format of Prometheus, with the content type that goes with it. */
export async function exposeMetrics(): Promise<{ contentType: string; body: string }> {
  return { contentType: metrics.contentType, body: await metrics.metrics() };
}
