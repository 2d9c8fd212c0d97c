import { LIMITS, type OneOrMore, Turns } from '@kcm/kernel';
import type { Producer } from 'kafkajs';
import { assertPublishable, type Message, type Publisher } from '../index.js';
import { isForbidden } from './kafka-errors.js';
import type { KafkaParts } from './kafka-parts.js';
import { type KafkaRecord, recordOf } from './records.js';

/** An idempotent producer that waits for all in-sync replicas; one write at a time, in order. */
export class KafkaPublisher implements Publisher {
  #producer: Producer | null = null;
  readonly #turns = new Turns();

  constructor(private readonly parts: KafkaParts) {}

  async publish(batch: OneOrMore<Message>): Promise<void> {
    assertPublishable(batch);
    await this.send(batch.map(recordOf));
  }

  /**
   * Finds out whether it is let in, by a broker that is new enough; `publishes`: with the rights to.
   * @throws MessagingUnavailable · MessagingRefused
   */
  connect(publishes: boolean): Promise<void> {
    return this.#turns.take(async () => {
      this.parts.assertOpen();
      try {
        await this.#connected();
        if (!publishes) await this.#drop();
      } catch (error) {
        await this.#drop();
        if (publishes || !isForbidden(error)) throw this.parts.error(error, 'it as a publisher');
      }
    });
  }

  send(records: readonly KafkaRecord[]): Promise<void> {
    return this.#turns.take(() => this.#send(records));
  }

  close(): Promise<void> {
    return this.#turns.take(() => this.#drop());
  }

  async #send(records: readonly KafkaRecord[]): Promise<void> {
    this.parts.assertOpen();
    let topic = records[0]?.topic ?? '';
    try {
      const producer = await this.#connected();
      for (const part of parts(records)) {
        topic = part[0].topic;
        const messages = part.map(({ key, headers, value, partition }) => ({
          key,
          headers,
          value: value === null ? null : Buffer.from(value),
          ...(partition === undefined ? {} : { partition }),
        }));
        await producer.send({ topic, messages, acks: -1, timeout: LIMITS.brokerAnswerMsMax });
      }
    } catch (error) {
      // The client gives the next batch the sequence number of this one, whose fate is unknown: the
      // broker would take that for a repetition and acknowledge what it never stored.
      await this.#drop();
      throw this.parts.error(error, topic);
    }
  }

  async #connected(): Promise<Producer> {
    if (this.#producer !== null) return this.#producer;
    const producer = this.parts.kafka.producer({
      idempotent: true,
      allowAutoTopicCreation: false,
      retry: this.parts.retry,
    });
    this.#producer = producer;
    await producer.connect();
    return producer;
  }

  async #drop(): Promise<void> {
    const producer = this.#producer;
    this.#producer = null;
    await producer?.disconnect().catch(() => undefined);
  }
}

/**
 * Runs of one topic, as large as a broker takes: the client makes one write of all that goes to a
 * partition.
 */
function* parts(records: readonly KafkaRecord[]): Generator<OneOrMore<KafkaRecord>> {
  let part: KafkaRecord[] = [];
  let bytes = 0;
  for (const record of records) {
    const [first] = part;
    const full = bytes + record.bytes > LIMITS.messageBatchBytesMax;
    if (first !== undefined && (full || first.topic !== record.topic)) {
      yield part as unknown as OneOrMore<KafkaRecord>;
      part = [];
      bytes = 0;
    }
    part.push(record);
    bytes += record.bytes;
  }
  if (part.length > 0) yield part as unknown as OneOrMore<KafkaRecord>;
}
