import { noTracer, systemScheduler, type Tracer, within } from '@kcm/kernel';
import type { Env, TracingOptions } from './options.js';

export interface Tracing {
  readonly tracer: Tracer;
  /** Sends what is left, for so long as `FLUSH_MS_MAX`. Never throws. */
  readonly stop: () => Promise<void>;
}

const NONE: Tracing = { tracer: noTracer, stop: async () => undefined };
const FLUSH_MS_MAX = 2_000;

/** Whether the environment names where traces go (OpenTelemetry's own variables). */
export function tracingConfigured(env: Env): boolean {
  if (env['OTEL_SDK_DISABLED']?.trim().toLowerCase() === 'true') return false;
  const exporters = env['OTEL_TRACES_EXPORTER']?.trim();
  if (exporters) return exporters !== 'none';
  return Boolean(env['OTEL_EXPORTER_OTLP_ENDPOINT'] || env['OTEL_EXPORTER_OTLP_TRACES_ENDPOINT']);
}

/**
 * OpenTelemetry where it is configured; else nothing of it is even loaded. Never throws: what
 * keeps traces from being told must not keep keys from being served.
 */
export async function startTracing(env: Env, options: TracingOptions): Promise<Tracing> {
  if (!tracingConfigured(env)) return NONE;
  try {
    const { startSdk } = await import('./opentelemetry.js');
    const sdk = startSdk(env, options);
    // A collector that cannot be reached has been reported already.
    const stop = async (): Promise<void> => {
      await within(systemScheduler, FLUSH_MS_MAX, sdk.shutdown()).catch(() => undefined);
    };
    return { tracer: sdk.tracer, stop };
  } catch (error) {
    options.report(`tracing could not be started: ${String(error)}`);
    return NONE;
  }
}
