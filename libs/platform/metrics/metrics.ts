import type { Attributes, Histogram, Meter } from '@opentelemetry/api';
import { PrometheusExporter, PrometheusSerializer } from '@opentelemetry/exporter-prometheus';
import { MeterProvider } from '@opentelemetry/sdk-metrics';
import { LIMITS } from '@kcm/kernel';

/** One figure, or one for each set of labels; labels are from closed sets, never a caller's. */
export type Figures = number | null | readonly (readonly [number, Attributes])[];

/** Upper bounds in seconds, from a commit on a fast disk to a keystore that times out. */
export const SECONDS = [
  0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10,
];

/** The figures of this process. What is read is read when somebody asks, one scrape at a time. */
export class Metrics {
  readonly #meter: Meter;
  readonly #reader = new PrometheusExporter({ preventServerStart: true });
  // Without target_info and the scope's labels: one process, one scope.
  readonly #serializer = new PrometheusSerializer('', false, undefined, true, true);
  #scrape: Promise<string> | null = null;

  constructor() {
    this.#meter = new MeterProvider({ readers: [this.#reader] }).getMeter('kcm');
  }

  /** Answers within a bound, whatever it reads. */
  text(): Promise<string> {
    this.#scrape ??= this.#collect().finally(() => (this.#scrape = null));
    return this.#scrape;
  }

  /** What is now. A `read` that throws, or hangs, leaves its figure out of this scrape. */
  gauge(name: string, description: string, read: () => Figures | Promise<Figures>): void {
    const gauge = this.#meter.createObservableGauge(name, { description });
    gauge.addCallback(async (result) => observe(result, await read()));
  }

  /** What only rises; `name` ends in `_total`. */
  total(name: string, description: string, read: () => Figures): void {
    const counter = this.#meter.createObservableCounter(name, { description });
    counter.addCallback((result) => observe(result, read()));
  }

  counter(name: string, description: string): (labels?: Attributes) => void {
    const counter = this.#meter.createCounter(name, { description });
    return (labels) => counter.add(1, labels);
  }

  histogram(name: string, description: string, bounds: readonly number[] = SECONDS): Histogram {
    const advice = { explicitBucketBoundaries: [...bounds] };
    return this.#meter.createHistogram(name, { description, advice });
  }

  async #collect(): Promise<string> {
    const { resourceMetrics } = await this.#reader.collect({
      timeoutMillis: LIMITS.healthCheckMsMax,
    });
    return `${this.#serializer.serialize(resourceMetrics).trimEnd()}\n`;
  }
}

function observe(
  result: { observe(value: number, labels?: Attributes): void },
  figures: Figures,
): void {
  if (typeof figures === 'number') result.observe(figures);
  else for (const [value, labels] of figures ?? []) result.observe(value, labels);
}
