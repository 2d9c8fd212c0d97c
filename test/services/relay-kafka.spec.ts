import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { type CloudEvent, Relay, TOPICS } from '@kcm/application';
import {
  type OneOrMore,
  type Position,
  type NewEvent,
  type StreamId,
  systemRandom,
  systemScheduler,
} from '@kcm/kernel';
import { openSqliteLedger } from '@kcm/ledger/sqlite';
import { type Delivery, MessagingUnavailable, type Publisher } from '@kcm/messaging';
import { KafkaMessaging } from '@kcm/messaging/kafka';
import { openSqliteReadModels } from '@kcm/read-models/sqlite';
import { eventually, sampleEvent } from '@kcm/testing';
import { FIGURES } from '@kcm/testing/figures';
import { type RunningKafka, startKafka } from '../../scripts/services/kafka.mjs';
import { administer } from '../support/kafka.js';

const CHILD = join(import.meta.dirname, 'relay-child.mjs');
/** kafkajs waits for times that are past. */
const QUIET = '--disable-warning=TimeoutNegativeWarning';
const STREAMS = 40;
const ROUNDS = 40;
const PER_APPEND = 10;
const KILLS = 5;

describe('The relay over a real Kafka', () => {
  let folder: string;
  let broker: RunningKafka;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'kcm-relay-'));
    broker = await startKafka({ dir: folder });
    await administer([broker.brokers], (admin) =>
      admin.createTopics({
        waitForLeaders: true,
        topics: Object.values(TOPICS).map(({ name }) => ({ topic: name, numPartitions: 3 })),
      }),
    );
  }, 120_000);
  afterAll(async () => {
    await broker.stop();
    await rm(folder, { recursive: true });
  });

  /** Of all keys and locks of `STREAMS` tenants, in turns. @returns what each stream holds */
  const fill = async (): Promise<Map<string, string[]>> => {
    const file = join(folder, 'ledger.db');
    const ledger = await openSqliteLedger({ file, random: systemRandom });
    const held = new Map<string, string[]>();
    for (let round = 0; round < ROUNDS; round += 1)
      for (let n = 0; n < STREAMS; n += 1) {
        const stream =
          `${n % 4 === 0 ? 'access' : 'key'}-t${n}${n % 4 === 0 ? '' : '.k'}` as StreamId;
        const events = Array.from({ length: PER_APPEND }, () => {
          const event = sampleEvent();
          return { ...event, meta: { ...event.meta, tenant: `t${n}`, origin: 'local' } };
        }) as unknown as OneOrMore<NewEvent>;
        const before = held.get(stream) ?? [];
        await ledger.append(stream, before.length === 0 ? 'noStream' : before.length - 1, events);
        held.set(stream, [...before, ...events.map(({ id }) => id)]);
      }
    await ledger.close();
    return held;
  };

  /** Runs it until it came further so often, or (null) until all is sent; then kills it. */
  const relayFor = async (steps: number | null): Promise<string> => {
    const child = spawn(process.execPath, [QUIET, CHILD, folder, broker.brokers], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const exit = once(child, 'exit');
    let line = '';
    let left = steps ?? Number.POSITIVE_INFINITY;
    for await (line of createInterface(child.stdout)) {
      left -= 1;
      if (left <= 0 || line === 'sent') break;
    }
    if (steps !== null) await sleep(systemRandom.bytes(1)[0]! / 12);
    child.kill('SIGKILL');
    await exit;
    return line;
  };

  it('loses nothing and keeps each stream in order when it is killed again and again', async () => {
    const held = await fill();
    const places: string[] = [];
    for (let kill = 0; kill < KILLS; kill += 1) places.push(await relayFor(2 + (kill % 2)));
    // Each got further than the one before, and none to the end.
    expect(new Set(places).size).toBe(KILLS);
    expect(places).not.toContain('sent');
    expect(await relayFor(null)).toBe('sent');
    const messaging = new KafkaMessaging({
      brokers: [broker.brokers],
      clientId: 'kcm-test',
      random: systemRandom,
      scheduler: systemScheduler,
      told: () => undefined,
    });
    const end = new AbortController();
    const firsts = {
      events: new Map<string, Delivery>(),
      revocations: new Map<string, Delivery>(),
    };
    const reading = async (lane: keyof typeof firsts): Promise<void> => {
      const source = {
        topic: TOPICS[lane].name,
        as: { kind: 'own', offsets: new Map() },
      } as const;
      const take = async (batch: readonly Delivery[]) => {
        for (const one of batch) if (!firsts[lane].has(one.id)) firsts[lane].set(one.id, one);
        return batch.map(() => ({ kind: 'done' as const }));
      };
      // A broker that has just made its topics may be busy with itself: from the start again.
      while (!end.signal.aborted)
        await messaging.run(source, take, end.signal).catch((error: unknown) => {
          if (!(error instanceof MessagingUnavailable)) throw error;
        });
    };
    const runs = (['events', 'revocations'] as const).map(reading);
    const locks = [...held].filter(([stream]) => stream.startsWith('access-'));
    const all = STREAMS * ROUNDS * PER_APPEND;
    await eventually(() => firsts.events.size === all && firsts.revocations.size === all / 4);
    end.abort();
    await Promise.all(runs);
    await messaging.close();
    const inOrder = [...firsts.events.values()];
    for (const [stream, ids] of held)
      expect(inOrder.filter(({ key }) => key === stream).map(({ id }) => id)).toEqual(ids);
    for (const [stream, ids] of locks)
      expect(
        [...firsts.revocations.values()]
          .filter(({ key }) => `access-${key}` === stream)
          .map(({ id }) => id),
      ).toEqual(ids);
    const seqs = inOrder.map(
      ({ body }) => (JSON.parse(Buffer.from(body).toString()) as CloudEvent).kcmseq,
    );
    expect(seqs.toSorted((a, b) => a! - b!)).toEqual(seqs.map((_, n) => n));
  }, 90_000);

  it('sends a lock while the events before it still wait', async () => {
    const ports = { random: systemRandom, scheduler: systemScheduler };
    const own = join(folder, 'backlog');
    await mkdir(own);
    const ledger = await openSqliteLedger({ file: join(own, 'ledger.db'), ...ports });
    const checkpoints = await openSqliteReadModels({ file: join(own, 'read-models.db') });
    for (let n = 0; n < FIGURES.relayBacklog; n += 50) {
      const events = Array.from({ length: 50 }, () => sampleEvent());
      const batch = events as unknown as OneOrMore<NewEvent>;
      await ledger.append(`key-acme.k${n}` as StreamId, 'noStream', batch);
    }
    const lock = sampleEvent();
    await ledger.append('access-acme' as StreamId, 'noStream', [lock]);
    const brokers: OneOrMore<string> = [broker.brokers];
    const clientId = 'kcm-test';
    const errors: unknown[] = [];
    const told = (error: unknown) => errors.push(error);
    const messaging = new KafkaMessaging({ brokers, clientId, ...ports, told });
    let waiting: Position | null | 'nothing' = 'nothing';
    const publisher: Publisher = {
      publish: async (batch) => {
        await messaging.publish(batch);
        if (batch.some(({ id }) => id === lock.id && batch[0].topic === TOPICS.revocations.name))
          waiting = relay.health()[0]!.position;
      },
    };
    const relay: Relay = new Relay({
      ...ports,
      ledger,
      checkpoints,
      publisher,
      region: 'local',
      catalog: { upcast: (event) => event },
      report: (_name, error) => told(error),
    });
    relay.start();
    const head = await ledger.head();
    await eventually(() => waiting !== 'nothing');
    // The broker has the lock, and little of what came before it.
    expect(waiting === null || waiting < `${BigInt(head!) / 2n}`.padStart(head!.length, '0')).toBe(
      true,
    );
    await relay.stop();
    await messaging.close();
    await Promise.all([checkpoints.close(), ledger.close()]);
    expect(errors).toEqual([]);
  }, 120_000);
});
