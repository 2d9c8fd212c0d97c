import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { ProjectionRunner } from '@kcm/application';
import { eventCatalog } from '@kcm/domain';
import { type OneOrMore, type RecordedEvent, systemRandom, systemScheduler } from '@kcm/kernel';
import type { Ledger } from '@kcm/ledger';
import { openSqliteLedger } from '@kcm/ledger/sqlite';
import { deadLetterTopic, type Delivery, type Message, type Verdict } from '@kcm/messaging';
import { KafkaMessaging } from '@kcm/messaging/kafka';
import { MessagingServer, ThrowsAsItIs } from '@kcm/messaging/nest';
import { openSqliteReadModels, type SqliteReadModels } from '@kcm/read-models/sqlite';
import { acmeStory, eventually } from '@kcm/testing';
import { FIGURES } from '@kcm/testing/figures';
import { Controller, type INestMicroservice, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { EventPattern, Payload } from '@nestjs/microservices';
import { projections } from '@projections/all';
import { type RunningKafka, startKafka } from '../../scripts/services/kafka.mjs';
import { Inbox } from '../support/inbox.js';
import { administer, knowsGroups } from '../support/kafka.js';
import { Seeded } from '../support/seeded.js';

const TOPIC = 'kcm.test.events';
/** Of each event: as it comes when who publishes it is killed before it noted that it did. */
const COPIES = 3;
/** So far out of its place a message may be. */
const WINDOW = 40;
const MEMBERS_IN_TURN = 8;
const UUID = /\b([0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{9})[0-9a-f]{3}\b/g;

/** What happened to many customers of many regions, in one order. */
function story(): RecordedEvent[] {
  return acmeStory().events.flatMap((event) =>
    Array.from({ length: FIGURES.messageRegions }, (_, index) => {
      const n = index + 1;
      const text = JSON.stringify(event)
        .replaceAll('acme', `acme${n}`)
        .replaceAll('bank', `bank${n}`)
        .replaceAll('local', `local${n}`)
        .replaceAll('ab'.repeat(32), `${'ab'.repeat(30)}${n.toString(16).padStart(4, '0')}`)
        .replaceAll(/"(call|corr)-/g, `"$1-${n}-`)
        .replaceAll(UUID, `$1${n.toString(16).padStart(3, '0')}`);
      return JSON.parse(text) as RecordedEvent;
    }),
  );
}

let dir: string;
let kafka: RunningKafka;
let inbox: Inbox;
let applied = 0;
const done = new Set<string>();
const failures: unknown[] = [];

@Controller()
class Copying {
  @EventPattern(TOPIC)
  async take(@Payload() { id, attempt, body, headers }: Delivery): Promise<Verdict> {
    applied += 1;
    // Before the effect, after it, and by a throw in between.
    if (attempt === 1 && applied % 101 === 0) return { kind: 'retry', afterMs: 2 };
    const event = JSON.parse(Buffer.from(body).toString('utf8')) as RecordedEvent;
    await inbox.take(Number(headers['seq']), event);
    if (attempt === 1 && applied % 103 === 0) return { kind: 'retry', afterMs: 2 };
    if (attempt === 1 && applied % 499 === 0) throw new Error('on purpose');
    done.add(id);
    return { kind: 'done' };
  }
}
@Module({ controllers: [Copying] })
class App {}

const connect = (): KafkaMessaging =>
  new KafkaMessaging({
    brokers: [kafka.brokers],
    clientId: 'kcm-test',
    groupSessionMs: 2_000,
    random: systemRandom,
    scheduler: systemScheduler,
    told: () => undefined,
  });

/** One member of the group; the answer ends it. */
async function member(): Promise<() => Promise<void>> {
  const messaging = connect();
  const app: INestMicroservice = await NestFactory.createMicroservice(App, {
    strategy: new MessagingServer({
      messaging,
      subscriptions: [{ topic: TOPIC, as: { kind: 'group', group: 'copying' } }],
      attemptsMax: 1_000,
      told: (error) => failures.push(error),
      lost: (error) => failures.push(error),
    }),
    logger: false,
    abortOnError: false,
  });
  app.useGlobalFilters(new ThrowsAsItIs());
  await app.listen();
  return async () => {
    await app.close();
    await messaging.close();
  };
}

/** Each event three times, none further than the window from its place. */
function* disturbed(events: readonly RecordedEvent[]): Generator<OneOrMore<Message>> {
  const random = new Seeded(20);
  for (let from = 0; from < events.length; from += WINDOW) {
    const piece = events.slice(from, from + WINDOW).flatMap((event, index) =>
      Array.from({ length: COPIES }, (_, copy) => ({
        topic: TOPIC,
        key: event.stream,
        id: `${from + index}-${copy}`,
        headers: { seq: String(from + index) },
        body: Buffer.from(JSON.stringify(event)),
      })),
    );
    for (let at = piece.length - 1; at > 0; at -= 1) {
      const other = Math.floor(random.fraction() * (at + 1));
      [piece[at], piece[other]] = [piece[other]!, piece[at]!];
    }
    yield piece as unknown as OneOrMore<Message>;
  }
}

/** By read model: how many documents, and the digest of them all. */
async function folded(ledger: Ledger, models: SqliteReadModels): Promise<Record<string, string>> {
  const runner = new ProjectionRunner(
    {
      ledger,
      catalog: eventCatalog,
      writer: models,
      reader: models,
      scheduler: systemScheduler,
      random: systemRandom,
      report: (_name, error) => failures.push(error),
    },
    projections,
  );
  const head = await ledger.head();
  runner.start();
  await eventually(() => runner.health().every(({ position }) => position === head));
  await runner.stop();
  const digests: Record<string, string> = {};
  for (const { name } of projections) {
    const found = await models.digest(name);
    digests[name] = `${found?.documents} ${found?.digest}`;
  }
  return digests;
}

describe('Events three times each, out of order, again after retries and throws, while members come and go', () => {
  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), 'kcm-storm-'));
    kafka = await startKafka({ dir });
    await administer([kafka.brokers], (admin) =>
      admin.createTopics({
        waitForLeaders: true,
        topics: [
          { topic: TOPIC, numPartitions: 4 },
          { topic: deadLetterTopic(TOPIC), numPartitions: 1 },
        ],
      }),
    );
    await knowsGroups([kafka.brokers]);
  }, 180_000);
  afterAll(async () => {
    await kafka.stop();
    await rm(dir, { recursive: true });
  });
  const opened = async (name: string) => ({
    ledger: await openSqliteLedger({ file: join(dir, `${name}.db`), random: systemRandom }),
    models: await openSqliteReadModels({ file: join(dir, `${name}-models.db`) }),
  });

  it('leave read models that are byte-equal to those of one run in order', async () => {
    const events = story();
    expect(events.length).toBeGreaterThan(1_000);
    const ordered = await opened('in-order');
    const straight = new Inbox(ordered.models, ordered.ledger);
    for (const [seq, event] of events.entries()) await straight.take(seq, event);
    const wanted = await folded(ordered.ledger, ordered.models);

    const copy = await opened('copy');
    inbox = new Inbox(copy.models, copy.ledger);
    const publisher = connect();
    const publishing = (async () => {
      for (const batch of disturbed(events)) await publisher.publish(batch);
    })();
    const members = [await member(), await member()];
    for (let turn = 0; turn < MEMBERS_IN_TURN; turn += 1) {
      await sleep(300);
      members.push(await member());
      await members.shift()!();
    }
    await publishing;
    for (let known = -1; done.size < events.length * COPIES;) {
      known = done.size;
      await eventually(() => done.size > known);
    }
    await Promise.all(members.map((end) => end()));
    await publisher.close();

    expect(inbox.next).toBe(events.length);
    expect(await folded(copy.ledger, copy.models)).toEqual(wanted);
    expect(applied).toBeGreaterThan(events.length * COPIES);
    expect(new Set(failures.map(String))).toEqual(new Set(['Error: on purpose']));
    for (const { ledger, models } of [ordered, copy]) {
      await models.close();
      await ledger.close();
    }
  }, 1_200_000);
});
