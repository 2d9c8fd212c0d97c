import { LIMITS } from '@kcm/kernel';
import type { Delivery, Message } from '../index.js';

interface Partition {
  /** Offset of the oldest that is kept. */
  first: number;
  readonly kept: Message[];
}

/** One topic: messages of one key are in one partition, in the order in which they came. */
export class TopicLog {
  readonly #partitions: readonly Partition[];

  constructor(
    private readonly topic: string,
    partitions: number,
  ) {
    this.#partitions = Array.from({ length: partitions }, () => ({ first: 0, kept: [] }));
  }

  get partitions(): readonly number[] {
    return [...this.#partitions.keys()];
  }

  append(message: Message): void {
    const partition = this.#partitions[spread(message.key, this.#partitions.length)]!;
    const { headers, body } = message;
    partition.kept.push({ ...message, headers: { ...headers }, body: Uint8Array.from(body) });
    // Now and then rather than one at a time: what goes moves all that stays.
    if (partition.kept.length < 2 * LIMITS.inProcessMessagesMax) return;
    const gone = partition.kept.length - LIMITS.inProcessMessagesMax;
    partition.kept.splice(0, gone);
    partition.first += gone;
  }

  first(partition: number): number {
    return this.#partitions[partition]!.first;
  }
  /** The offset of the message that comes next. */
  end(partition: number): number {
    const { first, kept } = this.#partitions[partition]!;
    return first + kept.length;
  }

  read(partition: number, from: number): readonly Delivery[] {
    const { first, kept } = this.#partitions[partition]!;
    const at = from - first;
    return kept.slice(at, at + LIMITS.messagesPerBatchMax).map((message, index) => ({
      ...message,
      topic: this.topic,
      headers: { ...message.headers },
      body: Uint8Array.from(message.body),
      partition,
      offset: String(from + index),
      attempt: 1,
    }));
  }
}

/** FNV-1a, 32 bits. */
function spread(key: string, partitions: number): number {
  let hash = 0x811c9dc5;
  for (const byte of Buffer.from(key)) hash = Math.imul(hash ^ byte, 0x01000193) >>> 0;
  return hash % partitions;
}
