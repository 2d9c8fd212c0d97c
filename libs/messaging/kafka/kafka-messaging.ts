import { LIMITS, type OneOrMore, type Random, type Scheduler } from '@kcm/kernel';
import { Kafka, logLevel } from 'kafkajs';
import {
  type Delivery,
  type Handler,
  type Message,
  type Messaging,
  MessagingUnavailable,
  type Subscription,
} from '../index.js';
import { KafkaConsumer } from './kafka-consumer.js';
import { kafkaError } from './kafka-errors.js';
import { KafkaParked } from './kafka-parked.js';
import type { KafkaParts } from './kafka-parts.js';
import { KafkaPublisher } from './kafka-publisher.js';
import type { KafkaServer } from './kafka-url.js';
import { parkedRecord } from './records.js';
import { securityOf } from './security.js';

export interface KafkaOptions extends Partial<KafkaServer> {
  /** `host:port` of some brokers; the others are learnt from them. */
  readonly brokers: OneOrMore<string>;
  readonly clientId: string;
  readonly random: Random;
  readonly scheduler: Scheduler;
  /** After such a silence a member of a group is replaced. Default: LIMITS.groupSessionMsDefault */
  readonly groupSessionMs?: number;
  /** What goes on by itself and somebody should know. Must not throw. */
  readonly told: (error: unknown) => void;
}

/** Connects when it is first used, or by `connect`. Topics and their dead-letter topics are made by who runs Kafka. */
export class KafkaMessaging implements Messaging {
  readonly #closing = new AbortController();
  readonly #runs = new Set<Promise<void>>();
  readonly #publisher: KafkaPublisher;
  readonly #consumer: KafkaConsumer;
  readonly #parked: KafkaParked;

  constructor(options: KafkaOptions) {
    const { brokers, clientId, random, scheduler, told } = options;
    const retry = {
      retries: LIMITS.brokerRetriesMax,
      initialRetryTime: 100,
      maxRetryTime: LIMITS.retryMsMax,
    };
    const kafka = new Kafka({
      brokers: [...brokers],
      clientId,
      retry,
      ...securityOf(options),
      connectionTimeout: LIMITS.brokerConnectMsMax,
      requestTimeout: LIMITS.brokerAnswerMsMax,
      // Its own log has addresses and stacks of what is only tried again; we are told the rest.
      logLevel: logLevel.NOTHING,
    });
    const closing = this.#closing.signal;
    const parts: KafkaParts = {
      kafka,
      retry,
      random,
      scheduler,
      closing,
      told,
      groupSessionMs: options.groupSessionMs ?? LIMITS.groupSessionMsDefault,
      error: (error, topic) => kafkaError(error, topic, brokers),
      assertOpen() {
        if (closing.aborted) throw new MessagingUnavailable('Messaging is closed.');
      },
    };
    this.#publisher = new KafkaPublisher(parts);
    this.#consumer = new KafkaConsumer(parts, (delivery, group, code) =>
      this.#publisher.send([parkedRecord(delivery, group, code)]),
    );
    this.#parked = new KafkaParked(parts, this.#publisher, this.#consumer);
  }

  /**
   * Fails by name where nobody answers, or nobody who is known; who we are is refused; the broker is
   * too old. `publishes: false` asks for no right to publish.
   * @throws MessagingUnavailable · MessagingRefused
   */
  connect({ publishes }: { readonly publishes: boolean }): Promise<void> {
    return this.#publisher.connect(publishes);
  }

  publish(batch: OneOrMore<Message>): Promise<void> {
    return this.#publisher.publish(batch);
  }

  async run(subscription: Subscription, handle: Handler, signal: AbortSignal): Promise<void> {
    const run = this.#consumer.run(subscription, handle, signal);
    this.#runs.add(run);
    try {
      await run;
    } finally {
      this.#runs.delete(run);
    }
  }

  list(topic: string, after: string | null, max: number): Promise<readonly Delivery[]> {
    return this.#parked.list(topic, after, max);
  }

  replay(topic: string, ids: OneOrMore<string>): Promise<number> {
    return this.#parked.replay(topic, ids);
  }

  async close(): Promise<void> {
    const runs = [...this.#runs];
    this.#closing.abort();
    await Promise.allSettled(runs);
    await this.#publisher.close();
  }
}
