// The documents of kafka/ that are made: a schema an event, and the AsyncAPI description of where
// each is sent. Made of the event types, the catalogue, the CloudEvent and what the relay sends
// where; how a topic is laid out (partitions, retention) is what kafka/topics.json has.
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { dataSchemas } from './data-schemas.mjs';
import { root } from './setup.mjs';

const built = (path) => import(pathToFileURL(join(root, 'dist', path)).href);
const DIALECT = 'https://json-schema.org/draft/2020-12/schema';
const nameOf = ({ type, version }) => `${type}.v${version}`;
const wordsOf = (type) => type.replaceAll(/(?<=[a-z])(?=[A-Z])/g, ' ');

/** Every event of the catalogue: what it is, whose, and the schema of its data. */
async function catalogue() {
  const { EVENTS } = await built('libs/domain/index.js');
  const { events } = await built('projections/events/index.js');
  const data = dataSchemas(join(root, 'libs/domain/events.ts'), join(root, 'tsconfig.json'));
  return Object.entries(EVENTS).map(([type, { category, schemaVersion }]) => ({
    type,
    category,
    version: schemaVersion,
    ofTenant: events.handles.includes(type),
    data: data.get(type),
  }));
}

/** The CloudEvent of one event type; open, so that a field may be added. */
function schemaOf(event, { properties, required }) {
  const { type, category, version, ofTenant, data } = event;
  const id = `urn:openkcm:event:${nameOf(event)}`;
  return {
    $schema: DIALECT,
    $id: id,
    title: nameOf(event),
    description: `${wordsOf(type)}: CloudEvent of a stream ${category}-…`,
    type: 'object',
    properties: {
      ...properties,
      source: { type: 'string', pattern: '^kcm://[a-z0-9][a-z0-9-]*$' },
      type: { const: `io.openkcm.${nameOf(event)}` },
      subject: { type: 'string', pattern: `^${category}-` },
      time: { type: 'string', format: 'date-time' },
      dataschema: { const: `${id}#/properties/data` },
      data,
    },
    required: required.filter((name) => ofTenant || name !== 'kcmtenant'),
  };
}

const messageOf = (event) => ({
  name: `io.openkcm.${nameOf(event)}`,
  title: wordsOf(event.type),
  contentType: 'application/cloudevents+json',
  bindings: { kafka: { key: { type: 'string' }, bindingVersion: '0.5.0' } },
  payload: { $ref: `./schemas/${nameOf(event)}.json` },
});

/** Components are kept once; a channel names those of its events. */
function asyncApi(events, topics, version) {
  const channels = {};
  const operations = {};
  const add = (id, channel, carried, summary) => {
    const refs = carried.map((event) => [
      nameOf(event),
      { $ref: `#/components/messages/${nameOf(event)}` },
    ]);
    channels[id] = { ...channel, messages: Object.fromEntries(refs) };
    operations[`send-${id}`] = { action: 'send', channel: { $ref: `#/channels/${id}` }, summary };
  };
  for (const topic of topics) {
    const { name, description, partitions, replicas, config, categories } = topic;
    const topicConfiguration = {
      'cleanup.policy': [config['cleanup.policy']],
      'retention.ms': Number(config['retention.ms']),
    };
    const kafka = { partitions, replicas, topicConfiguration, bindingVersion: '0.5.0' };
    const carried = events.filter(({ category }) => categories.includes(category));
    add(name, { address: name, description, bindings: { kafka } }, carried, `Topic ${name}`);
  }
  const stream = {
    address: '/v1/tenants/{tenant}/events',
    description: 'What happens to one tenant, as server-sent events over HTTP.',
    parameters: { tenant: { description: 'Id of the tenant.' } },
  };
  add(
    'tenant-events',
    stream,
    events.filter(({ ofTenant }) => ofTenant),
    'Event stream over HTTP',
  );
  const messages = Object.fromEntries(events.map((event) => [nameOf(event), messageOf(event)]));
  return {
    asyncapi: '3.0.0',
    info: {
      title: 'OpenKCM events',
      version,
      description: 'CloudEvents 1.0 in structured JSON. Ignore fields that you do not know.',
      license: { name: 'Apache-2.0' },
    },
    defaultContentType: 'application/cloudevents+json',
    channels,
    operations,
    components: { messages },
  };
}

/** The bounds of a double say nothing about a count. */
function withoutSafeBounds({ jsonSchema: schema }) {
  if (schema.minimum === Number.MIN_SAFE_INTEGER) delete schema.minimum;
  if (schema.maximum === Number.MAX_SAFE_INTEGER) delete schema.maximum;
}

/** By path under kafka/: what the document has to be. */
export async function kafkaDocuments(topics, version) {
  const { z } = await import('zod');
  const { cloudEventView, TOPICS } = await built('libs/application/index.js');
  const envelope = z.toJSONSchema(cloudEventView, { override: withoutSafeBounds });
  const events = await catalogue();
  const laidOut = Object.values(TOPICS).map((sent) => ({
    ...topics.find(({ name }) => name === sent.name),
    ...sent,
  }));
  return new Map([
    ...events.map((event) => [`schemas/${nameOf(event)}.json`, schemaOf(event, envelope)]),
    ['topics.json', { topics: laidOut }],
    ['asyncapi.json', asyncApi(events, laidOut, version)],
  ]);
}
