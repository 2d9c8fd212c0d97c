import type { EventDoc } from '@projections/events';
import { z } from 'zod';

/** CloudEvents 1.0, structured JSON, with the extensions of this product. */
export const cloudEventView = z.object({
  specversion: z.literal('1.0'),
  id: z.string(),
  source: z.string(),
  type: z.string(),
  subject: z.string(),
  time: z.string(),
  datacontenttype: z.literal('application/json'),
  /** Names the published schema's part that `data` follows. */
  dataschema: z.string(),
  kcmtenant: z.string(),
  kcmrevision: z.number().int(),
  kcmterm: z.number().int(),
  kcmepoch: z.number().int(),
  correlationid: z.string(),
  causationid: z.string(),
  traceparent: z.string().optional(),
  data: z.record(z.string(), z.unknown()),
});
export type CloudEvent = z.infer<typeof cloudEventView>;
export const CLOUD_EVENT = 'application/cloudevents+json';

export function cloudEventOf(doc: EventDoc): CloudEvent {
  return {
    specversion: '1.0',
    id: doc.id,
    source: `kcm://${doc.origin}`,
    type: `io.openkcm.${doc.type}.v${doc.schemaVersion}`,
    subject: doc.stream,
    time: doc.at,
    datacontenttype: 'application/json',
    dataschema: `urn:openkcm:event:${doc.type}.v${doc.schemaVersion}#/properties/data`,
    kcmtenant: doc.tenant,
    kcmrevision: doc.revision,
    kcmterm: doc.term,
    kcmepoch: doc.epoch,
    correlationid: doc.correlationId,
    causationid: doc.causationId,
    ...(doc.traceparent === undefined ? {} : { traceparent: doc.traceparent }),
    data: doc.data,
  };
}
