import {
  type Attributes,
  diag,
  DiagLogLevel,
  isSpanContextValid,
  ROOT_CONTEXT,
  type Span as OtelSpan,
  SpanKind as OtelKind,
  SpanStatusCode,
  trace,
  type Tracer as OtelTracer,
} from '@opentelemetry/api';
import {
  isSampled,
  LIMITS,
  type Span,
  type SpanAttributes,
  type SpanKind,
  traceIdOf,
  type Tracer,
} from '@kcm/kernel';
import { NodeSDK } from '@opentelemetry/sdk-node';
import { Complaints } from './complaints.js';
import type { Env, TracingOptions } from './options.js';

const KINDS: Readonly<Record<SpanKind, OtelKind>> = {
  server: OtelKind.SERVER,
  client: OtelKind.CLIENT,
  internal: OtelKind.INTERNAL,
};

/**
 * OpenTelemetry's Node SDK as the environment configures it: exporter, sampler, batches. Of its
 * signals traces alone; nothing is instrumented by itself. Once a process.
 */
export function startSdk(
  env: Env,
  { service, region, report }: TracingOptions,
): { readonly tracer: Tracer; shutdown(): Promise<void> } {
  const complaints = new Complaints(report);
  const told = (message: string): void => complaints.hear(message);
  const silent = (): void => undefined;
  diag.setLogger(
    { error: told, warn: told, info: silent, debug: silent, verbose: silent },
    { logLevel: DiagLogLevel.WARN, suppressOverrideMessage: true },
  );
  // The SDK reads these nowhere else. Its default would tell command line, user and host too.
  process.env['OTEL_NODE_RESOURCE_DETECTORS'] ??= 'env,serviceinstance';
  process.env['OTEL_SERVICE_NAME'] ||= service;
  process.env['OTEL_RESOURCE_ATTRIBUTES'] = [
    `kcm.region=${region}`,
    ...(env['OTEL_RESOURCE_ATTRIBUTES'] ? [env['OTEL_RESOURCE_ATTRIBUTES']] : []),
  ].join(',');
  const sdk = new NodeSDK({
    instrumentations: [],
    metricReaders: [],
    logRecordProcessors: [],
    textMapPropagator: null,
    spanLimits: { attributeValueLengthLimit: LIMITS.spanAttributeCharsMax },
  });
  sdk.start();
  const tracer = new OpenTelemetryTracer(trace.getTracer('openkcm'));
  return { tracer, shutdown: () => sdk.shutdown() };
}

class OpenTelemetryTracer implements Tracer {
  readonly on = true;

  constructor(private readonly tracer: OtelTracer) {}

  start(
    name: string,
    kind: SpanKind,
    parent: string | undefined,
    attributes: SpanAttributes = {},
  ): Span {
    const options = { kind: KINDS[kind], attributes: attributes as Attributes };
    return new OpenTelemetrySpan(this.tracer.startSpan(name, options, contextOf(parent)));
  }
}

class OpenTelemetrySpan implements Span {
  readonly traceparent: string | undefined;

  constructor(private readonly span: OtelSpan) {
    const { traceId, spanId, traceFlags } = span.spanContext();
    const flags = traceFlags.toString(16).padStart(2, '0');
    this.traceparent = isSpanContextValid(span.spanContext())
      ? `00-${traceId}-${spanId}-${flags}`
      : undefined;
  }

  set(attributes: SpanAttributes): void {
    this.span.setAttributes(attributes);
  }

  end(failure?: string): void {
    if (failure !== undefined) {
      this.span.setAttribute('error.type', failure);
      this.span.setStatus({ code: SpanStatusCode.ERROR, message: failure });
    }
    this.span.end();
  }
}

function contextOf(parent: string | undefined) {
  if (parent === undefined) return ROOT_CONTEXT;
  return trace.setSpanContext(ROOT_CONTEXT, {
    traceId: traceIdOf(parent),
    spanId: parent.slice(36, 52),
    traceFlags: isSampled(parent) ? 1 : 0,
    isRemote: true,
  });
}
