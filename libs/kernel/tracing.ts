/** W3C Trace Context §3.2; any other text is as good as none. */
const TRACEPARENT = /^(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}$/;

/** What came as a `traceparent` where it is one, else undefined. */
export const traceparentOf = (given: unknown): string | undefined =>
  typeof given === 'string' && TRACEPARENT.test(given) ? given : undefined;

/** The trace that a traceparent belongs to, 32 hex digits. */
export const traceIdOf = (traceparent: string): string => traceparent.slice(3, 35);

/** Whether its caller records this trace (§3.2.2.5.1). */
export const isSampled = (traceparent: string): boolean =>
  (Number.parseInt(traceparent.slice(53, 55), 16) & 1) === 1;

/** Never a secret, a plaintext, a token, or what a person wrote; what is undefined is left out. */
export type SpanAttributes = Readonly<Record<string, string | number | boolean | undefined>>;
/** Who waits for whom: OpenTelemetry's kinds, as far as they are used. */
export type SpanKind = 'server' | 'client' | 'internal';

/** One stretch of work in a trace. One that is never ended is never told. */
export interface Span {
  /** What is caused by it names this as its parent; undefined where nothing is traced. */
  readonly traceparent: string | undefined;
  set(attributes: SpanAttributes): void;
  /** @param failure the code of what went wrong on this side */
  end(failure?: string): void;
}
/** Where time is spent on the way of one request through all programs. Never throws. */
export interface Tracer {
  /** False: nothing is told to anybody, and what a span would say need not be found out. */
  readonly on: boolean;
  /** @param parent a traceparent; without one a trace begins */
  start(
    name: string,
    kind: SpanKind,
    parent: string | undefined,
    attributes?: SpanAttributes,
  ): Span;
}

/** Passes on the caller's traceparent, and tells nobody anything. */
export const noTracer: Tracer = {
  on: false,
  start: (_name, _kind, parent) => ({ traceparent: parent, set() {}, end() {} }),
};

/** Runs work in a span, which ends with it. @throws what the work throws */
export async function inSpan<T>(span: Span, work: (span: Span) => Promise<T>): Promise<T> {
  try {
    const result = await work(span);
    span.end();
    return result;
  } catch (error) {
    span.end(failureOf(error));
    throw error;
  }
}

/** A stable code where the error has one: a message may quote what came from outside. */
export const failureOf = (error: unknown): string => {
  const code: unknown = Object(error).code;
  return typeof code === 'string' ? code : 'internal';
};

/** One span in each trace that these events belong to; those without a trace begin none. */
export function spansOf(
  tracer: Tracer,
  name: string,
  events: readonly { readonly meta: { readonly traceparent?: string } }[],
  attributes: SpanAttributes,
): readonly Span[] {
  if (!tracer.on) return [];
  const parents = new Set(events.map(({ meta }) => meta.traceparent));
  return [...parents]
    .filter((parent) => parent !== undefined)
    .map((parent) => tracer.start(name, 'internal', parent, attributes));
}
