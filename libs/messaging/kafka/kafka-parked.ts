import { LIMITS, type OneOrMore } from '@kcm/kernel';
import {
  assertTopic,
  deadLetterTopic,
  type Delivery,
  type ParkedMessages,
  TopicUnknown,
} from '../index.js';
import type { KafkaConsumer } from './kafka-consumer.js';
import type { KafkaParts } from './kafka-parts.js';
import type { KafkaPublisher } from './kafka-publisher.js';
import { isReplayed, messageOf, parkedOf, recordOf, replayedRecord } from './records.js';

/** Reads the dead-letter topic from its start: first what is still parked, then what is wanted. */
export class KafkaParked implements ParkedMessages {
  constructor(
    private readonly parts: KafkaParts,
    private readonly publisher: KafkaPublisher,
    private readonly consumer: KafkaConsumer,
  ) {}

  async list(topic: string, after: string | null, max: number): Promise<readonly Delivery[]> {
    const past = after === null ? -1n : BigInt(after);
    const wanted = (await this.#parked(topic))
      .filter(({ offset }) => BigInt(offset) > past)
      .slice(0, Math.min(max, LIMITS.listItemsMax));
    const found: Delivery[] = [];
    await this.#each(topic, wanted, async (record) => {
      found.push(parkedOf(topic, record));
    });
    return found;
  }

  async replay(topic: string, ids: OneOrMore<string>): Promise<number> {
    const chosen = new Set(ids);
    const wanted = (await this.#parked(topic)).filter(({ id }) => chosen.has(id));
    const published = new Set<string>();
    await this.#each(topic, wanted, async (record) => {
      const message = messageOf(parkedOf(topic, record));
      if (!published.has(message.id)) await this.publisher.send([recordOf(message)]);
      published.add(message.id);
      await this.publisher.send([replayedRecord(topic, record.key)]);
    });
    return published.size;
  }

  /** Oldest first; of each parking its newest record. */
  async #parked(topic: string): Promise<{ readonly id: string; readonly offset: string }[]> {
    assertTopic(topic);
    this.parts.assertOpen();
    const parked = new Map<string, { readonly id: string; readonly offset: string }>();
    const end = await this.#end(topic);
    await this.#read(topic, null, end - 1n, async (record) => {
      parked.delete(record.key);
      if (!isReplayed(record)) parked.set(record.key, { id: record.id, offset: record.offset });
    });
    return [...parked.values()];
  }

  async #each(
    topic: string,
    wanted: readonly { readonly offset: string }[],
    visit: (record: Delivery) => Promise<void>,
  ): Promise<void> {
    const offsets = new Set(wanted.map(({ offset }) => offset));
    const last = BigInt(wanted.at(-1)?.offset ?? -1);
    await this.#read(topic, wanted[0]?.offset ?? null, last, async (record) => {
      if (offsets.has(record.offset)) await visit(record);
    });
  }

  /** From the start or from a record that is there, to a record that is there. */
  async #read(
    topic: string,
    from: string | null,
    last: bigint,
    visit: (record: Delivery) => Promise<void>,
  ): Promise<void> {
    if (last < 0n) return;
    const over = new AbortController();
    let failure: unknown = null;
    const offsets = new Map(from === null || from === '0' ? [] : [[0, String(BigInt(from) - 1n)]]);
    await this.consumer.run(
      { topic: deadLetterTopic(topic), as: { kind: 'own', offsets } },
      async (batch) => {
        try {
          for (const record of batch) if (BigInt(record.offset) <= last) await visit(record);
          if (batch.some(({ offset }) => BigInt(offset) >= last)) over.abort();
        } catch (error) {
          failure = error;
          over.abort();
        }
        return batch.map(() => ({ kind: 'done' }) as const);
      },
      over.signal,
    );
    if (failure !== null) throw failure;
    this.parts.assertOpen();
  }

  /** The offset after the newest record; 0 where nothing is kept. */
  async #end(topic: string): Promise<bigint> {
    const name = deadLetterTopic(topic);
    const admin = this.parts.kafka.admin({ retry: this.parts.retry });
    try {
      await admin.connect();
      if (!(await admin.listTopics()).includes(name)) throw new TopicUnknown(name);
      const [first] = (await admin.fetchTopicOffsets(name)).filter((one) => one.partition === 0);
      return first === undefined || first.high === first.low ? 0n : BigInt(first.high);
    } catch (error) {
      throw this.parts.error(error, name);
    } finally {
      await admin.disconnect().catch(() => undefined);
    }
  }
}
