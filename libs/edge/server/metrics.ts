import type { RefusalCounts } from '../refusal-counts.js';
import type { Hearing } from '../running-edge.js';
import type { Operation } from '../usage.js';

/** What a scrape reads; nothing of it is kept for a scrape's sake. */
export interface EdgeFigures {
  readonly edge: string;
  readonly region: string;
  readonly connected: boolean;
  readonly operations: Readonly<Record<Operation, number>>;
  readonly refusals: RefusalCounts;
  readonly alarms: number;
  readonly connections: number;
  /** Live leases: age and rest of each, milliseconds. */
  readonly leases: readonly { readonly ageMs: number; readonly remainingMs: number }[];
  /** Usage reports that Core has not recorded yet. */
  readonly reportsWaiting: number;
  /** Words on revocations that Core has not recorded yet. */
  readonly wordsWaiting: number;
  readonly hearing: Hearing | null;
}
type Labels = Readonly<Record<string, string>>;
type Sample = readonly [number, Labels];

/** The Edge's figures, for all its services together; no tenant and no caller has a label. */
export function metricsText(figures: EdgeFigures): string {
  const { edge, region, operations, leases } = figures;
  const oldest = leases.map(({ ageMs }) => ageMs / 1000);
  const least = leases.map(({ remainingMs }) => remainingMs / 1000);
  const { user, system } = process.cpuUsage();
  return [
    gauge('kcm_edge_info', 'Always 1; its labels say which Edge.', [[1, { edge, region }]]),
    gauge('kcm_edge_core_connected', '1 while Core is connected.', Number(figures.connected)),
    gauge('kcm_edge_leases', 'Live leases.', leases.length),
    gauge('kcm_edge_lease_age_seconds', 'Age of the oldest live lease.', extreme(oldest, Math.max)),
    gauge(
      'kcm_edge_lease_remaining_seconds',
      'What is left of the lease that ends first.',
      extreme(least, Math.min),
    ),
    counter(
      'kcm_edge_operations_total',
      'Operations that were answered.',
      Object.entries(operations).map(([operation, count]): Sample => [count, { operation }]),
    ),
    counter(
      'kcm_edge_refusals_total',
      'Refusals by operation (none: no operation was recognized) and code.',
      [...figures.refusals.each()].map(({ asked: operation, code, count }): Sample => [
        count,
        { operation, code },
      ]),
    ),
    counter('kcm_edge_alarms_total', 'Answers of Core that were not taken.', figures.alarms),
    gauge('kcm_edge_connections', 'Open connections of workloads.', figures.connections),
    gauge(
      'kcm_edge_usage_reports_waiting',
      'Usage reports that Core has not recorded yet.',
      figures.reportsWaiting,
    ),
    gauge(
      'kcm_edge_acknowledgements_waiting',
      'Words on revocations that Core has not recorded yet.',
      figures.wordsWaiting,
    ),
    ...heardText(figures.hearing),
    gauge('process_resident_memory_bytes', 'Memory of the process.', process.memoryUsage.rss()),
    counter('process_cpu_seconds_total', 'CPU time, user and system.', (user + system) / 1e6),
  ].join('');
}

function heardText(hearing: Hearing | null): readonly string[] {
  if (hearing === null) return [];
  const { connected, read, unreadable } = hearing;
  return [
    gauge('kcm_edge_messaging_connected', '1 while messages are followed.', Number(connected)),
    counter('kcm_edge_messages_total', 'Messages about revocations.', [
      [read, { outcome: 'read' }],
      [unreadable, { outcome: 'unreadable' }],
    ]),
  ];
}

const extreme = (values: readonly number[], of: (...all: number[]) => number): Sample[] =>
  values.length === 0 ? [] : [[values.reduce((a, b) => of(a, b)), {}]];

const gauge = (name: string, help: string, value: number | readonly Sample[]): string =>
  family(name, 'gauge', help, value);
const counter = (name: string, help: string, value: number | readonly Sample[]): string =>
  family(name, 'counter', help, value);

function family(
  name: string,
  type: string,
  help: string,
  value: number | readonly Sample[],
): string {
  const samples: readonly Sample[] = typeof value === 'number' ? [[value, {}]] : value;
  const lines = samples.map(([figure, labels]) => `${name}${braced(labels)} ${figure}`);
  return `${[`# HELP ${name} ${help}`, `# TYPE ${name} ${type}`, ...lines].join('\n')}\n`;
}

/** Values are ids and codes, which need no escaping. */
function braced(labels: Labels): string {
  const pairs = Object.entries(labels).map(([name, value]) => `${name}="${value}"`);
  return pairs.length === 0 ? '' : `{${pairs.join(',')}}`;
}
