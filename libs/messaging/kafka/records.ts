import type { IHeaders, KafkaMessage } from 'kafkajs';
import { bytesOf, deadLetterTopic, type Delivery, type Message, PARKED } from '../index.js';

const ID = 'kcm-id';
const KEY = 'kcm-key';
const REPLAYED = 'kcm-parked-replayed';

/** A record on its way out. */
export interface KafkaRecord {
  readonly topic: string;
  readonly key: string;
  readonly headers: Readonly<Record<string, string>>;
  /** null: takes what was parked under the same key off the list. */
  readonly value: Uint8Array | null;
  readonly partition?: number;
  readonly bytes: number;
}

export const recordOf = (message: Message): KafkaRecord => ({
  topic: message.topic,
  key: message.key,
  headers: { ...message.headers, [ID]: message.id },
  value: message.body,
  bytes: bytesOf(message),
});

/** A record of somebody else's has no id of its own: its place is one. */
export function deliveryOf(
  topic: string,
  partition: number,
  record: KafkaMessage,
  attempt: number,
): Delivery {
  const { [ID]: id, ...headers } = textOf(record.headers ?? {});
  return {
    topic,
    key: record.key?.toString('utf8') ?? '',
    id: id ?? `${topic}/${partition}/${record.offset}`,
    headers,
    body: record.value ?? Buffer.alloc(0),
    partition,
    offset: record.offset,
    attempt,
  };
}

function textOf(headers: IHeaders): Record<string, string> {
  const text: Record<string, string> = {};
  for (const [name, value] of Object.entries(headers)) {
    const first = Array.isArray(value) ? value[0] : value;
    if (first !== undefined) text[name] = first.toString();
  }
  return text;
}

/**
 * All of a dead-letter topic is in its first partition, so that it has one order. The key is where
 * a message was parked from: parked twice it is there once, and its own key is a header.
 */
export function parkedRecord(delivery: Delivery, group: string, code: string): KafkaRecord {
  const { topic, key, id, headers, body, partition, offset } = delivery;
  return {
    topic: deadLetterTopic(topic),
    key: `${group}/${partition}/${offset}`,
    headers: {
      ...headers,
      [ID]: id,
      [KEY]: key,
      [PARKED.code]: code,
      [PARKED.group]: group,
      [PARKED.partition]: String(partition),
      [PARKED.offset]: offset,
    },
    value: body,
    partition: 0,
    bytes: bytesOf(delivery),
  };
}

export const replayedRecord = (topic: string, parkedKey: string): KafkaRecord => ({
  topic: deadLetterTopic(topic),
  key: parkedKey,
  headers: { [REPLAYED]: 'yes' },
  value: null,
  partition: 0,
  bytes: parkedKey.length,
});

export const isReplayed = (record: Delivery): boolean => record.headers[REPLAYED] !== undefined;

/** What a record of the dead-letter topic holds: the message as it was, and why it is there. */
export function parkedOf(topic: string, record: Delivery): Delivery {
  const { [KEY]: key, ...headers } = record.headers;
  return { ...record, topic, key: key ?? '', headers };
}

export function messageOf(parked: Delivery): Message {
  const { topic, key, id, body } = parked;
  const own = Object.entries(parked.headers).filter(([name]) => !name.startsWith('kcm-'));
  return { topic, key, id, headers: Object.fromEntries(own), body };
}
