import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { RecordedEvent } from '@kcm/kernel';
import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';

export const KAFKA = join(import.meta.dirname, '..', '..', 'kafka');
type Schema = { [word: string]: unknown };

/** The published schemas, closed: what an event has and its schema does not say is a fault. */
export class EventSchemas {
  readonly #validators = new Map<string, ValidateFunction>();
  readonly #schemas = new Map<string, Schema>();

  constructor(folder = KAFKA) {
    const ajv = new Ajv2020({ allErrors: true, allowUnionTypes: true, validateFormats: false });
    for (const file of globSync('schemas/*.json', { cwd: folder })) {
      const schema = JSON.parse(readFileSync(join(folder, file), 'utf8')) as Schema;
      const name = `io.openkcm.${String(schema['title'])}`;
      this.#schemas.set(name, schema);
      this.#validators.set(name, ajv.compile(closed(schema) as Schema));
    }
  }

  get types(): readonly string[] {
    return [...this.#schemas.keys()].toSorted();
  }

  schemaOf(type: string): Schema {
    return this.#schemas.get(type)!;
  }

  /** What is wrong with a CloudEvent, in words; empty: nothing. */
  faultsOf(event: { readonly type: string; readonly data: object }): string[] {
    const { type } = event;
    const validate = this.#validators.get(type);
    if (validate === undefined) return [`${type} has no schema`];
    if (validate(event)) return [];
    return validate.errors!.map(
      ({ instancePath, message, params }) =>
        `${type}${instancePath} ${message} ${JSON.stringify(params)}`,
    );
  }
}

function closed(schema: unknown): unknown {
  if (Array.isArray(schema)) return schema.map(closed);
  if (typeof schema !== 'object' || schema === null) return schema;
  const inner: Schema = {};
  for (const [word, value] of Object.entries(schema)) inner[word] = closed(value);
  const { type, properties, additionalProperties = false } = inner;
  // A list of fields has no type, or a field of that name, which is no list of words.
  const isObject = type === 'object' || (Array.isArray(type) && type.includes('object'));
  return isObject && properties !== undefined ? { ...inner, additionalProperties } : inner;
}

/** What the ledger has, as a CloudEvent; without a tenant where it is the region's own. */
export function asCloudEvent(event: RecordedEvent): Schema & { type: string; data: Schema } {
  const { id, type, schemaVersion, stream, revision, data, meta } = event;
  return {
    specversion: '1.0',
    id,
    source: `kcm://${meta.origin}`,
    type: `io.openkcm.${type}.v${schemaVersion}`,
    subject: stream,
    time: meta.occurredAt,
    datacontenttype: 'application/json',
    dataschema: `urn:openkcm:event:${type}.v${schemaVersion}#/properties/data`,
    ...(meta.tenant === null ? {} : { kcmtenant: meta.tenant }),
    kcmrevision: revision,
    kcmterm: meta.term,
    kcmepoch: meta.epoch,
    correlationid: meta.correlationId,
    causationid: meta.causationId,
    ...(meta.traceparent === undefined ? {} : { traceparent: meta.traceparent }),
    data,
  };
}
