/**
 * What /metrics says, in Prometheus' text format. Parts of the server count through the small interfaces made here; the store's requests are
 * read from the meter when somebody asks.
 */
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';
import type { StoreMeter } from '../storage/objects/metered.ts';

export interface Metrics {
  render(): Promise<{ readonly text: string; readonly contentType: string }>;
  /** Counts one of something; names begin with `satchel_` and end in `_total`. */
  count(name: string, help: string, labels?: Readonly<Record<string, string>>, by?: number): void;
  /** A value that is read whenever somebody asks. */
  gauge(name: string, help: string, read: () => number): void;
  /** Adds a duration, in milliseconds, to the histogram `name`, which ends in `_seconds`. */
  observe(name: string, help: string, durationMs: number, labels?: Readonly<Record<string, string>>): void;
}

/** Seconds: from an index lookup to a slow object store. */
const buckets = [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];

export function createMetrics(meter: StoreMeter): Metrics {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  addStoreMetrics(registry, meter);
  const counters = new Map<string, Counter>();
  const histograms = new Map<string, Histogram>();
  return {
    async render() {
      return { text: await registry.metrics(), contentType: registry.contentType };
    },
    count(name, help, labels = {}, by = 1) {
      let counter = counters.get(name);
      if (counter === undefined) {
        counter = new Counter({ name, help, labelNames: Object.keys(labels), registers: [registry] });
        counters.set(name, counter);
      }
      counter.inc(labels, by);
    },
    gauge(name, help, read) {
      new Gauge({
        name,
        help,
        registers: [registry],
        collect() {
          this.set(read());
        },
      });
    },
    observe(name, help, durationMs, labels = {}) {
      let histogram = histograms.get(name);
      if (histogram === undefined) {
        histogram = new Histogram({ name, help, labelNames: Object.keys(labels), buckets, registers: [registry] });
        histograms.set(name, histogram);
      }
      histogram.observe(labels, durationMs / 1000);
    },
  };
}

/** Requests to the object store, by operation and by what they were for. */
function addStoreMetrics(registry: Registry, meter: StoreMeter): void {
  const columns = [
    { name: 'satchel_store_requests_total', help: 'Requests to the object store.', field: 'requests' },
    { name: 'satchel_store_errors_total', help: 'Requests to the object store that failed, absent objects included.', field: 'errors' },
    { name: 'satchel_store_lost_races_total', help: 'Conditional writes that found the name taken.', field: 'lostRaces' },
    { name: 'satchel_store_read_bytes_total', help: 'Bytes read from the object store.', field: 'bytesRead' },
    { name: 'satchel_store_written_bytes_total', help: 'Bytes written to the object store.', field: 'bytesWritten' },
    { name: 'satchel_store_dollars_total', help: "What the requests cost at S3's list prices in us-east-1, US dollars.", field: 'dollars' },
  ] as const;
  for (const { name, help, field } of columns) {
    new Counter({
      name,
      help,
      labelNames: ['operation', 'cause'],
      registers: [registry],
      collect() {
        this.reset();
        for (const row of meter.snapshot().rows) this.inc({ operation: row.operation, cause: row.cause }, row[field]);
      },
    });
  }
}
