import { monitorEventLoopDelay } from 'node:perf_hooks';
import { VERSION } from '../version.js';
import type { Metrics } from './metrics.js';

const RESOLUTION_MS = 20;
/** What is shown of the event loop is no younger, so that two who ask do not take it from another. */
const WINDOW_MS_MIN = 10_000;

/** Figures of any Node process; those with a common name have it. */
export function watchProcess(metrics: Metrics, region: string): void {
  const labels = { version: VERSION, node: process.version, region };
  metrics.gauge('kcm_build_info', 'Always 1; its labels say what runs.', () => [[1, labels]]);
  metrics.gauge('process_resident_memory_bytes', 'Memory of the process in RAM.', () =>
    process.memoryUsage.rss(),
  );
  metrics.gauge(
    'kcm_heap_used_bytes',
    'JavaScript heap in use.',
    () => process.memoryUsage().heapUsed,
  );
  metrics.total('process_cpu_seconds_total', 'CPU time, user and system.', () => {
    const { user, system } = process.cpuUsage();
    return (user + system) / 1e6;
  });
  const startedAt = Date.now() / 1000 - process.uptime();
  metrics.gauge('process_start_time_seconds', 'Start of the process, Unix time.', () => startedAt);
  const delay = eventLoopDelay();
  const name = 'kcm_event_loop_delay_seconds';
  metrics.gauge(name, 'How late the event loop was in the last window of 10 s or more.', delay);
}

function eventLoopDelay(): () => [number, { quantile: string }][] {
  const histogram = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
  histogram.enable();
  let since = performance.now();
  let shown = { p50: 0, p99: 0, max: 0 };
  return () => {
    const now = performance.now();
    if (now - since >= WINDOW_MS_MIN || shown.max === 0) {
      // The timer of the histogram itself is part of what it measures.
      const late = (ns: number) =>
        Number.isFinite(ns) ? Math.max(0, ns / 1e9 - RESOLUTION_MS / 1e3) : 0;
      const { max } = histogram;
      shown = {
        p50: late(histogram.percentile(50)),
        p99: late(histogram.percentile(99)),
        max: late(max),
      };
      if (now - since >= WINDOW_MS_MIN) {
        histogram.reset();
        since = now;
      }
    }
    const { p50, p99, max } = shown;
    return [
      [p50, { quantile: '0.5' }],
      [p99, { quantile: '0.99' }],
      [max, { quantile: '1' }],
    ];
  };
}
