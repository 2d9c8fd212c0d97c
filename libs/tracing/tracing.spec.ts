import { Complaints } from './complaints.js';
import { startTracing, tracingConfigured } from './start-tracing.js';

describe('Tracing is configured', () => {
  it.each([
    [false, {}],
    [false, { OTEL_SERVICE_NAME: 'kcm', OTEL_TRACES_SAMPLER: 'always_on' }],
    [false, { OTEL_EXPORTER_OTLP_ENDPOINT: '' }],
    [false, { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://c', OTEL_SDK_DISABLED: 'True' }],
    [false, { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://c', OTEL_TRACES_EXPORTER: 'none' }],
    [true, { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://c' }],
    [true, { OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: 'http://c' }],
    [true, { OTEL_TRACES_EXPORTER: 'otlp', OTEL_SDK_DISABLED: 'false' }],
  ])('%s by %j', (on, env) => {
    expect(tracingConfigured(env)).toBe(on);
  });

  it('by nothing: then a span passes its caller’s traceparent on and tells nobody', async () => {
    const report = () => undefined;
    const { tracer, stop } = await startTracing({}, { service: 's', region: 'r', report });
    expect(tracer.on).toBe(false);
    const parent = `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01`;
    expect(tracer.start('x', 'server', parent).traceparent).toBe(parent);
    await stop();
  });
});

describe('A complaint of the SDK', () => {
  let said: string[];
  let now: number;
  let complaints: Complaints;
  beforeEach(() => {
    said = [];
    now = 0;
    complaints = new Complaints(
      (detail) => said.push(detail),
      () => now,
    );
  });
  const refused = (message: string) =>
    JSON.stringify({ stack: `Error: ${message}`, message, code: 'ECONNREFUSED' });

  it('about the collector is said once in ten minutes, in few words', () => {
    complaints.hear(refused('connect ECONNREFUSED'));
    for (now = 5_000; now < 600_000; now += 5_000) {
      complaints.hear(refused('other words'));
      complaints.hear(`Dropped ${now} spans because maxQueueSize reached`);
    }
    expect(said).toEqual(['traces are not delivered: connect ECONNREFUSED ECONNREFUSED']);
    now = 600_000;
    complaints.hear(refused('x'.repeat(1_000)));
    expect(said[1]!.length).toBeLessThan(230);
  });

  it('about a setting is not called that, and hides no collector that is away', () => {
    const odd = 'unknown OTEL_TRACES_SAMPLER value "all", using default';
    complaints.hear(odd);
    complaints.hear(odd);
    complaints.hear(refused('connect ECONNREFUSED'));
    expect(said).toEqual([
      `tracing: ${odd}`,
      'traces are not delivered: connect ECONNREFUSED ECONNREFUSED',
    ]);
  });
});
