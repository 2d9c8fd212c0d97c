import { type Random, type Span, type SpanAttributes, type Tracer, uuidv4 } from '@kcm/kernel';
import type { Proof, Refusal } from './core-port.js';

/** What Core logs of an exchange: its place in a trace, or an id of its own where there is none. */
export interface CoreExchange {
  readonly span: Span;
  readonly correlated: { readonly clientCorrelationValue: string };
}

export function startExchange(
  { tracer, random }: { readonly tracer: Tracer; readonly random: Random },
  name: string,
  parent: string | undefined,
  about: SpanAttributes,
): CoreExchange {
  const span = tracer.start(`core ${name}`, 'client', parent, about);
  return { span, correlated: { clientCorrelationValue: span.traceparent ?? uuidv4(random) } };
}

/** Ends it with what Core said. */
export function endExchange<T extends Proof>(
  { span }: CoreExchange,
  said: T | Refusal,
): T | Refusal {
  if (said.ok) span.set({ 'kcm.grant': said.grantId });
  span.end(said.ok ? undefined : said.code);
  return said;
}
