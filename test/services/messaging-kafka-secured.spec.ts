import { systemRandom, systemScheduler } from '@kcm/kernel';
import {
  type Delivery,
  MessagingRefused,
  MessagingUnavailable,
  type Verdict,
} from '@kcm/messaging';
import { kafkaOptions, type KafkaTlsFiles, KafkaMessaging } from '@kcm/messaging/kafka';
import { MessagingServer } from '@kcm/messaging/nest';
import { eventually, MessageReader } from '@kcm/testing';
import { TestAuthority, type TestCertificate } from '@kcm/testing/tls';
import { Controller, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { EventPattern, Payload } from '@nestjs/microservices';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { type AddressInfo, createServer, type Server } from 'node:net';

import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type RunningKafka, startKafka } from '../../scripts/services/kafka.mjs';
import { knowsGroups, newTopic } from '../support/kafka.js';

const PASSWORD = 'right-horse';
let dir: string;
let kafka: RunningKafka;
let client: TestCertificate;
let strangers: TestAuthority;
const opened: KafkaMessaging[] = [];
const told: unknown[] = [];

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'kcm-kafka-secured-'));
  const authority = await TestAuthority.create();
  client = await authority.edge('1');
  strangers = await TestAuthority.create('strangers');
  const users = [
    { mechanism: 'scram-sha-512', user: 'core', password: PASSWORD },
    { mechanism: 'scram-sha-256', user: 'edge', password: PASSWORD },
  ] as const;
  kafka = await startKafka({ dir, secured: { ...(await authority.server()), users } });
  await knowsGroups([kafka.brokers]);
}, 180_000);
afterAll(async () => {
  await kafka.stop();
  await rm(dir, { recursive: true });
});
afterEach(async () => {
  await Promise.all(opened.splice(0).map((one) => one.close()));
});

function open(url: string, files: KafkaTlsFiles = {}): KafkaMessaging {
  const messaging = new KafkaMessaging({
    ...kafkaOptions(url, files),
    clientId: 'kcm-test',
    groupSessionMs: 2_000,
    random: systemRandom,
    scheduler: systemScheduler,
    told: (error) => told.push(error),
  });
  opened.push(messaging);
  return messaging;
}
const publishes = { publishes: true };

describe('A Kafka that asks who comes', () => {
  it.each([
    ['a certificate', () => open(`kafka://${kafka.doors.MTLS}`, client)],
    ['SCRAM-SHA-512 over TLS', () => open(`kafka://core:${PASSWORD}@${kafka.doors.SCRAM}`, ca())],
    [
      'SCRAM-SHA-256 over TLS',
      () => open(`kafka://edge:${PASSWORD}@${kafka.doors.SCRAM}?mechanism=scram-sha-256`, ca()),
    ],
    ['SCRAM-SHA-512 on loopback', () => open(`kafka://core:${PASSWORD}@${kafka.doors.BARE}`)],
  ])('lets in who shows %s: publishes and delivers', async (_, opening) => {
    const messaging = opening();
    await messaging.connect(publishes);
    const topic = await newTopic([kafka.brokers]);
    await messaging.publish([message(topic, 'x')]);
    const reader = await new MessageReader(messaging, group(topic), done).until(1);
    expect(reader.seen.map(({ body }) => Buffer.from(body).toString())).toEqual(['x']);
    await reader.stop();
  });

  it.each([
    ['a wrong password', () => open(`kafka://core:wrong@${kafka.doors.SCRAM}`, ca())],
    ['a wrong user', () => open(`kafka://nobody:${PASSWORD}@${kafka.doors.SCRAM}`, ca())],
    [
      'the other mechanism',
      () => open(`kafka://core:${PASSWORD}@${kafka.doors.SCRAM}?mechanism=scram-sha-256`, ca()),
    ],
  ])('refuses %s by name at the start', async (_, opening) => {
    const refused = opening().connect(publishes);
    await expect(refused).rejects.toThrow(MessagingRefused);
    await expect(refused).rejects.toThrow(
      new RegExp(`^Kafka at ${kafka.doors.SCRAM} refuses the credentials\\.$`),
    );
  });

  it('refuses who shows no certificate, or one of strangers, by name at the start', async () => {
    const none = open(`kafka://${kafka.doors.MTLS}`, ca()).connect(publishes);
    await expect(none).rejects.toThrow(MessagingRefused);
    await expect(none).rejects.toThrow(/does not take our certificate, or wants one \(/);
    const other = await strangers.edge('1');
    const foreign = open(`kafka://${kafka.doors.MTLS}`, { ...other, ...ca() }).connect(publishes);
    await expect(foreign).rejects.toThrow(/does not take our certificate, or wants one \(/);
  });

  it('is not taken when nobody known vouches for it', async () => {
    const files = { ...client, ca: strangers.ca };
    const refused = open(`kafka://${kafka.doors.MTLS}`, files).connect(publishes);
    await expect(refused).rejects.toThrow(MessagingUnavailable);
    await expect(refused).rejects.toThrow(/shows a certificate that is not taken \(/);
    const byNode = open(`kafka+tls://core:${PASSWORD}@${kafka.doors.SCRAM}`).connect(publishes);
    await expect(byNode).rejects.toThrow(/shows a certificate that is not taken \(/);
  });

  it('is one clear line without TLS where there is some, and with TLS where there is none', async () => {
    for (const [url, files] of [
      [`kafka://${kafka.doors.MTLS}`, {}],
      [`kafka://${kafka.brokers}`, ca()],
      ['kafka://127.0.0.1:1', {}],
    ] as const) {
      const refused = open(url, files).connect(publishes);
      await expect(refused).rejects.toThrow(MessagingUnavailable);
      await expect(refused).rejects.toThrow(/^Kafka at 127\.0\.0\.1:\d+ does not answer[^\n]*$/);
    }
  }, 60_000);

  it('gives the handlers of a Nest microservice what comes, and obeys their verdicts', async () => {
    const topic = await newTopic([kafka.brokers]);
    const seen: string[] = [];
    @Controller()
    class Handlers {
      @EventPattern(topic)
      handle(@Payload() delivery: unknown): Verdict {
        const { id, attempt } = delivery as Delivery;
        seen.push(`${id} ${attempt}`);
        if (id === 'parked') return { kind: 'park', code: 'unwanted' };
        return id === 'later' && attempt === 1 ? { kind: 'retry', afterMs: 1 } : { kind: 'done' };
      }
    }
    @Module({ controllers: [Handlers] })
    class App {}
    const messaging = open(`kafka://${kafka.doors.MTLS}`, client);
    const strategy = new MessagingServer({
      messaging,
      subscriptions: [group(topic)],
      attemptsMax: 3,
      told: (error) => told.push(error),
      lost: (error) => told.push(error),
    });
    const app = await NestFactory.createMicroservice(App, { strategy, logger: false });
    await app.listen();
    const named = (id: string) => ({ ...message(topic, id), id });
    await messaging.publish([named('parked'), named('later'), named('after')]);
    await eventually(() => seen.length === 4);
    await app.close();
    expect(seen).toEqual(['parked 1', 'later 1', 'later 2', 'after 1']);
    const parked = await messaging.list(topic, null, 10);
    expect(parked.map(({ id }) => id)).toEqual(['parked']);
    expect(told).toEqual([]);
  });

  it('is told by name when it is older than what is needed', async () => {
    const server = oldBroker().listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    for (const publishing of [true, false]) {
      const refused = open(`kafka://127.0.0.1:${port}`).connect({ publishes: publishing });
      await expect(refused).rejects.toThrow(
        `Kafka at 127.0.0.1:${port} is too old: 0.11 or newer is needed.`,
      );
    }
    server.close();
  });
});

const ca = () => ({ ca: client.ca });
const done = () => ({ kind: 'done' }) as const;
const group = (topic: string) => ({ topic, as: { kind: 'group', group: `${topic}-g` } }) as const;
const message = (topic: string, text: string) => ({
  topic,
  key: 'k',
  id: randomUUID(),
  headers: {},
  body: Buffer.from(text),
});

const int16 = (n: number) => Buffer.from([n >> 8, n & 255]);
const int32 = (n: number) => Buffer.from([n >> 24, n >> 16, n >> 8, n]);
const text = (value: string) => Buffer.concat([int16(value.length), Buffer.from(value)]);

/** A double of a broker that knows no more than Kafka 0.10: what it can do, and who it is. */
function oldBroker(): Server {
  const known = [
    [0, 0, 2],
    [1, 0, 3],
    [3, 0, 1],
    [18, 0, 2],
  ].map((api) => Buffer.concat(api.map(int16)));
  const server = createServer((socket) => {
    socket.on('data', (request) => {
      const { port } = server.address() as AddressInfo;
      const me = [int32(1), int32(0), text('127.0.0.1'), int32(port), int16(-1)];
      const answers: Record<number, Buffer[]> = {
        3: [...me, int32(0), int32(0)],
        18: [int16(0), int32(known.length), ...known, int32(0)],
      };
      const answer = answers[request.readInt16BE(4)] ?? [];
      const body = Buffer.concat([request.subarray(8, 12), ...answer]);
      socket.write(Buffer.concat([int32(body.length), body]));
    });
    socket.on('error', () => undefined);
  });
  return server;
}
