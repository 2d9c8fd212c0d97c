import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { eventCatalog } from '@kcm/domain';
import {
  type EventMeta,
  KcmError,
  type LedgerId,
  type NewEvent,
  type OneOrMore,
  type Position,
  parseStream,
  type StreamId,
  systemRandom,
  systemScheduler,
} from '@kcm/kernel';
import type { FilteredFeed } from '@kcm/ledger';
import { type Message, MessagingUnavailable, type Publisher, TopicUnknown } from '@kcm/messaging';
import { InProcessMessaging } from '@kcm/messaging/in-process';
import type { ReadModelWriter } from '@kcm/read-models';
import { openSqliteReadModels, type SqliteReadModels } from '@kcm/read-models/sqlite';
import { acmeStory, InMemoryLedger, InMemoryLog } from '@kcm/testing';
import { EventSchemas } from '../../../test/support/event-schemas.js';
import type { CloudEvent } from './cloud-event.js';
import { Relay, type RelayDeps } from './relay.js';
import { TOPICS } from './topics.js';

const REGION = 'local';

/** The in-memory ledger with a feed of some categories. */
class FilteringLedger extends InMemoryLedger implements FilteredFeed {
  async *feedOf(
    categories: OneOrMore<string>,
    after: Position | 'start',
    signal: AbortSignal,
  ): ReturnType<InMemoryLedger['feed']> {
    for await (const item of this.feed(after, signal)) {
      if (item.kind !== 'events') {
        yield item;
        continue;
      }
      const mine = item.events.filter(({ stream }) =>
        categories.includes(parseStream(stream).category),
      );
      const [first, ...others] = mine;
      if (first !== undefined) yield { kind: 'events', events: [first, ...others] };
      else yield { kind: 'passed', position: item.events.at(-1)!.position };
    }
  }
}

describe('Relay', () => {
  let folder: string;
  let ledger: FilteringLedger;
  let store: SqliteReadModels;
  let relays: Relay[];
  let errors: unknown[];
  let sent: Message[];
  const taking: Publisher = {
    publish: async (batch) => {
      sent.push(...batch);
    },
  };

  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), 'kcm-relay-'));
    ledger = new FilteringLedger();
    [relays, errors, sent] = [[], [], []];
    store = await openSqliteReadModels({ file: join(folder, 'read-models.db') });
  });
  afterEach(async () => {
    await Promise.all(relays.map((each) => each.stop()));
    await store.close();
    rmSync(folder, { recursive: true });
  });

  const relay = (more: Partial<RelayDeps> = {}): Relay => {
    const made = new Relay({
      region: REGION,
      ledger,
      catalog: eventCatalog,
      publisher: taking,
      checkpoints: store,
      scheduler: systemScheduler,
      random: systemRandom,
      report: (_name, error) => errors.push(error),
      ...more,
    });
    relays.push(made);
    made.start();
    return made;
  };
  const tick = () => new Promise((done) => setImmediate(done));
  const until = async (holds: () => boolean): Promise<void> => {
    while (!holds()) await tick();
  };
  /** Where the last of these is; null: there are none. */
  const endOf = (wanted: readonly string[]): Position | null =>
    ledger.log.events.find(({ id }) => id === wanted.at(-1))?.position ?? null;
  const through = async (made: Relay): Promise<void> => {
    // A lane need not move for what does not concern it.
    const ends = [wantedOn.events(), wantedOn.revocations()].map(endOf);
    const there = ({ position }: { position: Position | null }, lane: number) =>
      ends[lane] === null || (position !== null && position >= ends[lane]!);
    await until(() => made.health().every(there));
  };
  const states = (made: Relay) => made.health().map(({ state }) => state);
  /** The life of a tenant, as it is stored; every third event was decided elsewhere. */
  const live = async (change: (meta: EventMeta, n: number) => object = () => ({})) => {
    for (const [n, event] of acmeStory().events.entries()) {
      const { stream, revision, position: _, ...own } = event;
      const origin = n % 3 === 2 ? 'other' : REGION;
      const stored: NewEvent = { ...own, meta: { ...own.meta, origin, ...change(own.meta, n) } };
      await ledger.append(stream, revision === 0 ? 'noStream' : revision - 1, [stored]);
    }
  };
  const on = (topic: string) => sent.filter((message) => message.topic === topic);
  const bodyOf = ({ body }: Message): CloudEvent =>
    JSON.parse(Buffer.from(body).toString()) as CloudEvent;
  const firstsOf = (messages: readonly Message[]) => [...new Set(messages.map(({ id }) => id))];
  const categoriesOf = (stream: StreamId) => parseStream(stream).category;
  const wantedOn = {
    events: () => ledger.log.events.map(({ id }) => id),
    revocations: () =>
      ledger.log.events
        .filter(({ stream }) => ['access', 'revocation'].includes(categoriesOf(stream)))
        .map(({ id }) => id),
  };

  it('sends each event once, in ledger order, as its schema says, keyed as the topic says', async () => {
    await live();
    await through(relay());
    const { events, revocations } = TOPICS;
    expect(on(events.name).map(({ id }) => id)).toEqual(wantedOn.events());
    expect(on(revocations.name).map(({ id }) => id)).toEqual(wantedOn.revocations());
    expect(wantedOn.revocations().length).toBeGreaterThan(3);
    const schemas = new EventSchemas();
    expect(sent.flatMap((message) => schemas.faultsOf(bodyOf(message)))).toEqual([]);
    expect(on(events.name).every((one) => one.key === bodyOf(one).subject)).toBe(true);
    expect(on(revocations.name).every((one) => one.key === bodyOf(one).kcmtenant)).toBe(true);
    expect(errors).toEqual([]);
  });

  it('numbers what its region decided without a gap, on the topic of all events alone', async () => {
    await live();
    await through(relay());
    const seqs = on(TOPICS.events.name).map((message) => bodyOf(message).kcmseq);
    let next = 0;
    const wanted = ledger.log.events.map(({ meta }) =>
      meta.origin === REGION ? next++ : undefined,
    );
    expect(next).toBeGreaterThan(10);
    expect(seqs).toEqual(wanted);
    expect(on(TOPICS.revocations.name).some((one) => 'kcmseq' in bodyOf(one))).toBe(false);
  });

  it('tells nobody who caused an event, nor a fingerprint of what was sent', async () => {
    const planted = 'planted-never-to-be-told';
    await live(() => ({ fingerprint: planted, actor: { kind: 'user', id: planted } }));
    await through(relay());
    expect(sent.length).toBeGreaterThan(40);
    for (const message of sent)
      expect(
        JSON.stringify({ ...message, body: Buffer.from(message.body).toString() }),
      ).not.toMatch(/planted|"(actor|fingerprint|commandId)"/);
  });

  it('loses nothing and keeps the order and the numbers when killed at any of its steps', async () => {
    const whole = new InMemoryLog();
    await live();
    Object.assign(whole, { events: ledger.log.events, id: ledger.id });
    for (const dies of ['before the publish', 'after the publish', 'after the checkpoint']) {
      await store.reset('relay-events', 1);
      await store.reset('relay-revocations', 1);
      sent = [];
      // As little as there can be in one step, so that every event is died at.
      for (let count = 1; count <= whole.events.length; count += 1) {
        const events = whole.events.slice(0, count);
        ledger = new FilteringLedger(Object.assign(new InMemoryLog(), { id: whole.id, events }));
        const publisher: Publisher = {
          publish: async (batch) => {
            if (dies !== 'before the publish') await taking.publish(batch);
            if (dies !== 'after the checkpoint') throw new Error('killed');
          },
        };
        const checkpoints = {
          load: store.load.bind(store),
          commit: async (...args: Parameters<ReadModelWriter['commit']>) => {
            await store.commit(...args);
            if (dies === 'after the checkpoint') throw new Error('killed');
          },
        } as ReadModelWriter;
        const mortal = relay({ publisher, checkpoints });
        await until(() => states(mortal)[0] === 'failed' && states(mortal)[1] !== 'catchingUp');
        await mortal.stop();
        await through(relay());
        await Promise.all(relays.splice(0).map((each) => each.stop()));
      }
      expect(firstsOf(on(TOPICS.events.name))).toEqual(wantedOn.events());
      expect(firstsOf(on(TOPICS.revocations.name))).toEqual(wantedOn.revocations());
      const seqs = new Map(on(TOPICS.events.name).map((one) => [one.id, new Set<unknown>()]));
      for (const one of on(TOPICS.events.name)) seqs.get(one.id)!.add(bodyOf(one).kcmseq);
      expect([...seqs.values()].every(({ size }) => size === 1)).toBe(true);
      const numbers = [...seqs.values()]
        .flatMap((each) => [...each])
        .filter((n) => n !== undefined);
      expect(numbers).toEqual(numbers.map((_, n) => n));
    }
  });

  it('waits for a broker that is away and a topic that nobody made, and says which', async () => {
    await live();
    const failures = [new MessagingUnavailable('away'), new TopicUnknown(TOPICS.events.name)];
    const publisher: Publisher = {
      publish: async (batch) => {
        if (batch[0].topic === TOPICS.events.name) {
          const failure = failures.shift();
          if (failure !== undefined) throw failure;
        }
        await taking.publish(batch);
      },
    };
    const made = relay({ publisher });
    await through(made);
    expect(states(made)).not.toContain('failed');
    expect(errors).toMatchObject([
      { code: 'messaging_unavailable', message: 'away' },
      { code: 'messaging_unavailable', message: `There is no topic ${TOPICS.events.name}.` },
    ]);
    expect(on(TOPICS.events.name).map(({ id }) => id)).toEqual(wantedOn.events());
  });

  it('sends revocations while the topic of all events stands still', async () => {
    await live();
    const publisher: Publisher = {
      publish: (batch) =>
        batch[0].topic === TOPICS.events.name
          ? Promise.reject(new MessagingUnavailable('away'))
          : taking.publish(batch),
    };
    const made = relay({ publisher });
    const end = endOf(wantedOn.revocations())!;
    await until(() => (made.health()[1]!.position ?? '') >= end);
    expect(made.health()[0]!.position).toBeNull();
    expect(sent.map(({ id }) => id)).toEqual(wantedOn.revocations());
  });

  it('does not go on in another ledger, nor in one that has lost events', async () => {
    await live();
    const first = relay();
    await through(first);
    await first.stop();
    const { events, id } = ledger.log;
    const other = { id: 'another' as LedgerId, events };
    const shorter = { id, events: events.slice(0, 3) };
    const count = sent.length;
    for (const log of [other, shorter]) {
      const made = relay({
        ledger: new FilteringLedger(Object.assign(new InMemoryLog(), log)),
      });
      await until(() => states(made).every((state) => state === 'failed'));
    }
    expect(sent).toHaveLength(count);
    expect(errors.map((error) => (error as KcmError).code)).toEqual(Array(4).fill('integrity'));
    expect(String(errors[0])).toContain('another');
  });

  it('delivers over the messaging port what was appended while it was live', async () => {
    const topics = { [TOPICS.events.name]: 3, [TOPICS.revocations.name]: 2 };
    const told = (error: unknown) => errors.push(error);
    const messaging = new InProcessMessaging({ topics, scheduler: systemScheduler, told });
    const made = relay({ publisher: messaging });
    const end = new AbortController();
    const got: Message[] = [];
    const as = { kind: 'group', group: 'reader' } as const;
    const run = messaging.run(
      { topic: TOPICS.events.name, as },
      async (batch) => {
        got.push(...batch);
        return batch.map(() => ({ kind: 'done' as const }));
      },
      end.signal,
    );
    await live();
    await through(made);
    await until(() => got.length === ledger.log.events.length);
    end.abort();
    await run;
    await made.stop();
    await messaging.close();
    for (const stream of new Set(ledger.log.events.map((event) => event.stream)))
      expect(got.filter(({ key }) => key === stream).map(({ id }) => id)).toEqual(
        ledger.log.events.filter((event) => event.stream === stream).map(({ id }) => id),
      );
    expect(errors).toEqual([]);
  });
});
