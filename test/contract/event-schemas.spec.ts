import { spawn } from 'node:child_process';
import { cpSync, existsSync, globSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { jest } from '@jest/globals';
import { EVENT_TYPES, EVENTS } from '@kcm/domain';
import { CATEGORIES, type RecordedEvent } from '@kcm/kernel';
import { eventsOf } from '../crash/ledger-audit.js';
import { EventFeed } from '../support/event-feed.js';
import { asCloudEvent, EventSchemas, KAFKA } from '../support/event-schemas.js';
import { Keystore, onboard, Region, type RevocationView, Stage } from '../support/index.js';
import { removeFolder, scratchFolder } from '../support/server.js';

jest.setTimeout(90_000);

const ROOT = join(import.meta.dirname, '..', '..');
const GOLDEN = join(ROOT, 'libs/domain/golden');
const golden = globSync('*.json', { cwd: GOLDEN }).flatMap(
  (file) =>
    (JSON.parse(readFileSync(join(GOLDEN, file), 'utf8')) as { events: RecordedEvent[] }).events,
);
const json = <T>(path: string) => JSON.parse(readFileSync(path, 'utf8')) as T;

/** A schema as far as these tests change one. */
interface Fields {
  type: unknown;
  enum: unknown[];
  const: unknown;
  anyOf: unknown[];
  properties: Record<string, Fields>;
  required: string[];
}

/** What `npm run schemas` does after the build, on a folder like kafka/. */
function schemas(...args: string[]): Promise<{ code: number | null; said: string[] }> {
  const child = spawn(process.execPath, [join(ROOT, 'scripts/schemas.mjs'), ...args], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let text = '';
  child.stderr.setEncoding('utf8').on('data', (more: string) => (text += more));
  return new Promise((resolve) => {
    child.on('close', (code) => {
      const said = text.split('\n').map((line) => line.replace('· ', ''));
      resolve({ code, said: said.filter((line) => /^(breaks|differs): /.test(line)) });
    });
  });
}

describe('The published schemas', () => {
  const published = new EventSchemas();
  let folder: string;
  beforeEach(() => {
    folder = scratchFolder('schemas');
    cpSync(KAFKA, folder, { recursive: true });
  });
  afterEach(() => removeFolder(folder));

  /** Makes what was published another, as if the product had changed since. */
  const wasPublished = (name: string, how: (data: Fields) => void): string => {
    const path = join(folder, `schemas/${name}.v1.json`);
    const schema = json<Fields>(path);
    how(schema.properties['data']!);
    writeFileSync(path, JSON.stringify(schema));
    return path;
  };
  const without = (list: readonly string[], name: string) => list.filter((one) => one !== name);

  it('are what the product is: none is missing, changed or left over', async () => {
    expect(await schemas('check')).toEqual({ code: 0, said: [] });
    const wanted = EVENT_TYPES.map((type) => `io.openkcm.${type}.v${EVENTS[type].schemaVersion}`);
    expect(published.types).toEqual(wanted.toSorted());
  });

  it('are never broken: what breaks a reader is named, and the schema stays', async () => {
    wasPublished('ServiceMapped', ({ properties, required }) => {
      properties['gone'] = { type: 'string' } as Fields;
      required.push('gone');
    });
    wasPublished('KeyCreated', ({ properties }) => properties['level']!.enum.push('L9'));
    wasPublished('KeyVersionWrapped', ({ properties }) => (properties['version']!.type = 'string'));
    wasPublished('RootKeyConnected', ({ properties }) => (properties['resolved']!.type = 'number'));
    wasPublished('KeyRotated', (data) => (data.required = without(data.required, 'to')));
    wasPublished('LockTaken', ({ required }) => required.push('callId'));
    wasPublished('KeystoreCallSucceeded', ({ properties }) => {
      properties['providerRequestId']!.type = 'string';
    });
    wasPublished('RevocationLocked', ({ properties }) => {
      properties['scope']!.anyOf.push({ type: 'object', properties: { tag: { const: 'x' } } });
    });
    const path = wasPublished('RootKeyConnectionRequested', ({ properties }) => {
      properties['mode']!.const = 'byok';
    });
    writeFileSync(join(folder, 'schemas/KeyForgotten.v1.json'), readFileSync(path));
    const before = readFileSync(path, 'utf8');
    const { code, said } = await schemas(folder);
    expect(code).toBe(1);
    const broken = said.map((line) => line.replace('breaks: schemas/', '').replace('.json', ''));
    expect(broken.toSorted()).toEqual([
      'KeyCreated.v1.data.level: "L9" is gone',
      'KeyForgotten.v1: the catalogue does not have it',
      'KeyRotated.v1.data.to: must be there, and is not in what is stored',
      'KeyVersionWrapped.v1.data.version: was string, is number',
      'KeystoreCallSucceeded.v1.data.providerRequestId: was string, is null or string',
      'LockTaken.v1.data.callId: may be absent now',
      'RevocationLocked.v1.data.scope: the form ' +
        '{"type":"object","properties":{"tag":{"const":"x"}}} is gone',
      'RootKeyConnected.v1.data.resolved: was number, is string',
      'RootKeyConnectionRequested.v1.data.mode: "byok" is gone',
      'ServiceMapped.v1.data.gone: is gone',
    ]);
    expect(readFileSync(path, 'utf8')).toBe(before);
  });

  it('take a new optional field and a new listed value, which readers pass over', async () => {
    wasPublished('LockTaken', ({ properties }) => delete properties['callId']);
    wasPublished('KeyCreated', ({ properties }) => properties['level']!.enum.pop());
    const { code, said } = await schemas('check', folder);
    const differs = (name: string) =>
      `differs: schemas/${name}.v1.json: is not what the product is; npm run schemas makes it`;
    expect({ code, said }).toEqual({ code: 1, said: ['LockTaken', 'KeyCreated'].map(differs) });
    // Published before the event had a new version: it stays.
    writeFileSync(join(folder, 'schemas/KeyCreated.v0.json'), '{}');
    expect(await schemas(folder)).toEqual({ code: 0, said: [] });
    expect(await schemas('check', folder)).toEqual({ code: 0, said: [] });
  });

  it('hold every event of the golden corpus, and refuse each without one of its fields', () => {
    const events = golden.map(asCloudEvent);
    expect(events.flatMap((event) => published.faultsOf(event))).toEqual([]);
    expect(new Set(events.map(({ type }) => type)).size).toBe(EVENT_TYPES.length);
    const taken: string[] = [];
    for (const event of events) {
      const { required = [] } = published.schemaOf(event.type) as { required?: string[] };
      for (const field of without(required, 'type')) {
        const { [field]: _, ...rest } = event;
        if (published.faultsOf(rest as typeof event).length === 0) taken.push(field);
      }
      for (const field of Object.keys(event.data)) {
        const data = { ...event.data, [field]: { nothing: 'of this kind' } };
        if (published.faultsOf({ ...event, data }).length === 0) taken.push(field);
      }
      const data = { ...event.data, unheardOf: 1 };
      if (published.faultsOf({ ...event, data }).length === 0) taken.push('unheardOf');
    }
    // Public fields of a reference are the keystore's own.
    expect([...new Set(taken)]).toEqual(['reference']);
  });
});

describe('What a real run says', () => {
  const stage = new Stage();
  afterAll(() => stage.close());

  it('has its schema, as it is sent and as it is recorded', async () => {
    const region = new Region(stage, { services: 'billing' });
    const [keystore] = await Promise.all([Keystore.start(stage), region.start()]);
    const { path, anna, boris, l3, key } = await onboard(region, keystore, 'acme');
    const auditor = await region.server.tokenFor('acme', ['auditor'], 'ada');
    const feed = new EventFeed(() => region.server.url, `${path}/events`, auditor);
    expect(await feed.connect('?from=start')).toBe(200);
    await region.edge('billing').sample('acme', 'a record');
    await anna.command(`${path}/keys/${l3['billing']}/rotate`);
    const reason = { code: 'incident' };
    const lock = (kind: string) =>
      anna.command<RevocationView>(`${path}/revocations`, { kind, scope: { all: true }, reason });
    const suspended = await lock('suspend');
    expect((await anna.post(`${path}/revocations/${suspended.id}/release`)).status).toBe(403);
    await boris.command(`${path}/revocations/${suspended.id}/release`);
    await keystore.act(key, 'disable');
    await feed.until('the denial', ({ type }) => type === 'io.openkcm.RootKeyDenied.v1', 30_000);
    const killed = await lock('kill');
    await boris.command(`${path}/revocations/${killed.id}/shred`);
    await feed.until('the shred', ({ type }) => type === 'io.openkcm.RevocationShredded.v1');
    feed.cut();
    await region.stop();

    const published = new EventSchemas();
    expect(feed.events.flatMap(({ event }) => published.faultsOf(event))).toEqual([]);
    const recorded = (await eventsOf(region.data)).map(asCloudEvent);
    expect(recorded.flatMap((event) => published.faultsOf(event))).toEqual([]);
    const lifecycle = ['TenantRegistered', 'RootKeyConnected', 'KeyCreated', 'KeyRotated'];
    const ends = ['LockTaken', 'LockReleased', 'RootKeyDenied', 'MaterialShredded'];
    const others = ['TokenIssued', 'ProcessStarted', 'LeasesGranted', 'KeystoreCallRefused'];
    const typed = (names: readonly string[]) => names.map((name) => `io.openkcm.${name}.v1`);
    expect(feed.events.map(({ event }) => event.type)).toEqual(
      expect.arrayContaining(typed([...lifecycle, ...ends])),
    );
    expect(recorded.map(({ type }) => type)).toEqual(expect.arrayContaining(typed(others)));
    const sent = new Map(feed.events.map(({ event }) => [event.id, event]));
    const both = recorded.filter((event) => sent.has(String(event['id'])));
    expect(both).toEqual(both.map((event) => sent.get(String(event['id']))));
  });
});

describe('The topics', () => {
  interface Topic {
    readonly name: string;
    readonly deadLetter: string;
    readonly categories: readonly string[];
  }
  interface Acl {
    readonly principal: string;
    readonly resource: { readonly type: string; readonly name: string };
    readonly operations: readonly string[];
  }
  const { topics } = json<{ topics: readonly Topic[] }>(join(KAFKA, 'topics.json'));
  const { acls } = json<{ acls: readonly Acl[] }>(join(KAFKA, 'acls.json'));

  it('are described with the events that each carries, and no reference leads nowhere', () => {
    const path = join(KAFKA, 'asyncapi.json');
    const described = json<{ channels: Record<string, { messages: object }> }>(path);
    for (const { name, categories } of topics) {
      const carried = EVENT_TYPES.filter((type) => categories.includes(EVENTS[type].category));
      expect(categories.filter((one) => !CATEGORIES.some((known) => known === one))).toEqual([]);
      const messages = Object.keys(described.channels[name]!.messages);
      expect(messages).toEqual(carried.map((type) => `${type}.v${EVENTS[type].schemaVersion}`));
    }
    const leads = [...readFileSync(path, 'utf8').matchAll(/"\$ref": "([^"]+)"/g)].map(
      ([, to]) => to!,
    );
    expect(leads.length).toBeGreaterThan(150);
    const broken = leads.filter((to) => {
      if (!to.startsWith('#/')) return !existsSync(join(KAFKA, to));
      const steps = to.slice(2).split('/');
      return (
        steps.reduce<unknown>((at, step) => (at as Fields)?.[step as 'type'], described) ===
        undefined
      );
    });
    expect(broken).toEqual([]);
  });

  it('let the relay send and the operator send again, and nobody do more than is written for it', () => {
    const names = topics.flatMap(({ name, deadLetter }) => [name, deadLetter]);
    expect(topics.map(({ deadLetter }) => deadLetter)).toEqual(
      topics.map(({ name }) => `${name}.dlq`),
    );
    for (const { principal, resource, operations } of acls) {
      expect(principal).toMatch(/^User:kcm-[a-z]+$/);
      expect(operations.filter((one) => !['Describe', 'Read', 'Write'].includes(one))).toEqual([]);
      if (resource.type === 'topic') expect(names).toContain(resource.name);
      else expect(resource).toMatchObject({ type: 'group', pattern: 'prefixed' });
    }
    const isSent = (name: string) => topics.some((topic) => topic.name === name);
    const may = (who: string, what: string) =>
      acls
        .filter(({ principal, operations }) => principal === who && operations.includes(what))
        .map(({ resource }) => resource.name);
    const senders = acls.filter(
      ({ resource, operations }) => isSent(resource.name) && operations.includes('Write'),
    );
    const [relay, operator] = ['User:kcm-relay', 'User:kcm-operator'] as const;
    expect(new Set(senders.map(({ principal }) => principal))).toEqual(new Set([relay, operator]));
    expect(may(relay, 'Write')).toEqual(topics.map(({ name }) => name));
    // Parked messages are listed, published again, and marked in the topic that they lie in.
    expect(new Set(may(operator, 'Write'))).toEqual(new Set(names));
    const parked = topics.map(({ deadLetter }) => deadLetter);
    expect(may(operator, 'Read')).toEqual([...parked, 'kcm-own-']);
  });
});
