import { getEventListeners } from 'node:events';
import { jest } from '@jest/globals';
import { type Scheduler, systemRandom } from '@kcm/kernel';
import { MessagingUnavailable } from '@kcm/messaging';
import type { Consumer, Kafka } from 'kafkajs';
import { KafkaConsumer } from './kafka-consumer.js';
import type { KafkaParts } from './kafka-parts.js';

const TOPIC = 'kcm.revocations.v1';
type Listener = (event: { readonly payload: { readonly error: Error } }) => void;

/** A double of the client: joins its group, and crashes at once. */
function crashing(lives: () => void): Pick<Kafka, 'admin' | 'consumer'> {
  const nothing = async (): Promise<void> => undefined;
  const consumer = () => {
    lives();
    const told = new Map<string, Listener>();
    const payload = { error: new Error('gone') };
    return {
      events: { CRASH: 'crash', GROUP_JOIN: 'join' },
      on: (name: string, listener: Listener) => told.set(name, listener),
      connect: nothing,
      subscribe: nothing,
      run: async () => ['join', 'crash'].forEach((name) => told.get(name)!({ payload })),
      disconnect: nothing,
    } as unknown as Consumer;
  };
  const admin = () => ({
    connect: nothing,
    listTopics: async () => [TOPIC],
    disconnect: nothing,
  });
  return { consumer, admin } as unknown as Kafka;
}

describe('A consumer whose broker is away for long', () => {
  const subscription = { topic: TOPIC, as: { kind: 'group', group: 'g' } } as const;
  const end = new AbortController();
  const any = jest.spyOn(AbortSignal, 'any');
  afterAll(() => any.mockRestore());

  it('keeps nothing of the clients before, nor of the pauses between them', async () => {
    const kept: number[] = [];
    const lives = (): void => {
      kept.push(getEventListeners(any.mock.results[0]!.value as AbortSignal, 'abort').length);
      if (kept.length === 50) end.abort();
    };
    const scheduler: Scheduler = {
      after(_ms, run) {
        const timer = setImmediate(run);
        return () => clearImmediate(timer);
      },
    };
    const parts = {
      kafka: crashing(lives),
      retry: {},
      random: systemRandom,
      scheduler,
      closing: new AbortController().signal,
      told: () => undefined,
      error: (error: unknown) => new MessagingUnavailable('Kafka does not answer.', error),
      assertOpen: () => undefined,
    } as unknown as KafkaParts;
    const consumer = new KafkaConsumer(parts, async () => undefined);
    await consumer.run(subscription, async () => [], end.signal);
    expect(kept).toHaveLength(50);
    expect(Math.max(...kept)).toBe(kept[0]);
  });
});
