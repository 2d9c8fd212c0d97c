import type { RecordedEvent, ToldEvent } from '@kcm/kernel';
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
  /** Its number in the log of its region, from 0; on the topic of all events. */
  kcmseq: z.number().int().optional(),
  correlationid: z.string(),
  causationid: z.string(),
  traceparent: z.string().optional(),
  data: z.record(z.string(), z.unknown()),
});
/** Without a tenant where it is the region's own. */
export type CloudEvent = Omit<z.infer<typeof cloudEventView>, 'kcmtenant'> & {
  readonly kcmtenant?: string;
};
export const CLOUD_EVENT = 'application/cloudevents+json';

export const toldOf = ({ meta, ...event }: RecordedEvent): ToldEvent => ({
  ...event,
  ...meta,
  at: meta.occurredAt,
});

/** `seq`: its number in the log of its region; null: not told. */
export function cloudEventOf(event: ToldEvent, seq: number | null = null): CloudEvent {
  const { type, schemaVersion, tenant, traceparent } = event;
  return {
    specversion: '1.0',
    id: event.id,
    source: `kcm://${event.origin}`,
    type: `io.openkcm.${type}.v${schemaVersion}`,
    subject: event.stream,
    time: event.at,
    datacontenttype: 'application/json',
    dataschema: `urn:openkcm:event:${type}.v${schemaVersion}#/properties/data`,
    ...(tenant === null ? {} : { kcmtenant: tenant }),
    kcmrevision: event.revision,
    kcmterm: event.term,
    kcmepoch: event.epoch,
    ...(seq === null ? {} : { kcmseq: seq }),
    correlationid: event.correlationId,
    causationid: event.causationId,
    ...(traceparent === undefined ? {} : { traceparent }),
    data: event.data,
  };
}
