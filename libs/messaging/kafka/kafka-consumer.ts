import { fullJitterMs, LIMITS } from '@kcm/kernel';
import type { Delivery, Subscription } from '../index.js';
import {
  assertTopic,
  Attempts,
  type Consumer,
  type Handler,
  MessagesGone,
  MessagingUnavailable,
  TopicUnknown,
} from '../index.js';
import { handOver } from './batches.js';
import type { KafkaParts } from './kafka-parts.js';

/** Where all partitions go on, for who keeps that itself; null: the broker keeps it. */
export type Places = Map<number, bigint> | null;
type Park = (delivery: Delivery, group: string, code: string) => Promise<void>;

/** A run over sessions of the client: a session ends when it fails, and another one goes on. */
export class KafkaConsumer implements Consumer {
  constructor(
    private readonly parts: KafkaParts,
    private readonly park: Park,
  ) {}

  async run(subscription: Subscription, handle: Handler, signal: AbortSignal): Promise<void> {
    const { topic, as } = subscription;
    const { parts } = this;
    assertTopic(topic);
    parts.assertOpen();
    const end = AbortSignal.any([signal, parts.closing]);
    const places = await this.#places(subscription);
    const name = as.kind === 'group' ? as.group : as.kind;
    // A client that failed may still stand in its group for a while, and nothing is shared with it.
    const group = () => (as.kind === 'group' ? as.group : `kcm-${as.kind}-${this.#unique()}`);
    const session = new Session(parts, subscription, group, places, end, {
      handle,
      attempts: new Attempts(),
      park: (delivery, code) => this.park(delivery, name, code),
    });
    for (let attempt = 0; !end.aborted; attempt += 1) {
      try {
        await session.life();
      } catch (error) {
        const failure = parts.error(error, topic);
        if (!(failure instanceof MessagingUnavailable) || !session.joined) throw failure;
        parts.told(failure);
        await pause(parts, attempt, end);
      }
    }
  }

  #unique(): string {
    return this.parts.random.bytes(12).toString('hex');
  }

  /** Also finds out at once whether anybody answers and has the topic. */
  async #places({ topic, as }: Subscription): Promise<Places> {
    const admin = this.parts.kafka.admin({ retry: this.parts.retry });
    try {
      await admin.connect();
      if (!(await admin.listTopics()).includes(topic)) throw new TopicUnknown(topic);
      if (as.kind === 'group') return null;
      const places = new Map<number, bigint>();
      for (const { partition, low, high } of await admin.fetchTopicOffsets(topic)) {
        const stored = as.kind === 'own' ? as.offsets.get(partition) : undefined;
        const next = stored === undefined ? null : BigInt(stored) + 1n;
        if (next !== null && (next < BigInt(low) || next > BigInt(high)))
          throw new MessagesGone(topic, partition);
        places.set(partition, next ?? BigInt(as.kind === 'own' ? low : high));
      }
      return places;
    } catch (error) {
      throw this.parts.error(error, topic);
    } finally {
      await admin.disconnect().catch(() => undefined);
    }
  }
}

interface Work {
  readonly handle: Handler;
  readonly attempts: Attempts;
  readonly park: (delivery: Delivery, code: string) => Promise<void>;
}

/** Lives of one client after another, in one group. */
class Session {
  joined = false;

  constructor(
    private readonly parts: KafkaParts,
    private readonly subscription: Subscription,
    private readonly group: () => string,
    private readonly places: Places,
    private readonly end: AbortSignal,
    private readonly work: Work,
  ) {}

  /** Resolves after an abort. @throws what ended the client */
  async life(): Promise<void> {
    const { parts, places, end, work } = this;
    const { topic, onGiven } = this.subscription;
    const heartbeatMs = Math.floor(parts.groupSessionMs / 5);
    const consumer = parts.kafka.consumer({
      groupId: this.group(),
      sessionTimeout: parts.groupSessionMs,
      rebalanceTimeout: LIMITS.groupRebalanceMsMax,
      heartbeatInterval: heartbeatMs,
      maxWaitTimeInMs: LIMITS.messageFetchMsMax,
      allowAutoTopicCreation: false,
      // A new client comes from here, so that somebody is told.
      retry: { ...parts.retry, restartOnFailure: async () => false },
    });
    let onEnd = (): void => undefined;
    const ended = new Promise<void>((resolve, reject) => {
      onEnd = resolve;
      consumer.on(consumer.events.CRASH, ({ payload }) => reject(payload.error));
    });
    ended.catch(() => undefined);
    end.addEventListener('abort', onEnd);
    // With every membership the client forgets where it was and would begin at the start.
    consumer.on(consumer.events.GROUP_JOIN, () => {
      this.joined = true;
      for (const [partition, next] of places ?? [])
        consumer.seek({ topic, partition, offset: String(next) });
      onGiven?.();
    });
    try {
      await consumer.connect();
      await consumer.subscribe({ topics: [topic], fromBeginning: true });
      const eachBatch = handOver({ ...work, ...parts, places, end, heartbeatMs });
      await consumer.run({ autoCommit: false, eachBatchAutoResolve: false, eachBatch });
      if (!end.aborted) await ended;
    } finally {
      end.removeEventListener('abort', onEnd);
      await consumer.disconnect().catch(() => undefined);
    }
  }
}

async function pause(parts: KafkaParts, attempt: number, end: AbortSignal): Promise<void> {
  if (end.aborted) return;
  const ms = fullJitterMs(parts.random, attempt, LIMITS.retryMsMin, LIMITS.retryMsMax);
  await new Promise<void>((resolve) => {
    const over = (): void => {
      cancel();
      end.removeEventListener('abort', over);
      resolve();
    };
    const cancel = parts.scheduler.after(ms, over);
    end.addEventListener('abort', over);
  });
}
