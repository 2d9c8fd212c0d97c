import type { OneOrMore } from '@kcm/kernel';

export interface Message {
  readonly topic: string;
  /** Messages of one key are delivered in the order in which they were published. */
  readonly key: string;
  /** Names the message for whoever must know it again: the same on each delivery. */
  readonly id: string;
  /** Names that begin with `kcm-` are the adapter's own. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array;
}

export interface Delivery extends Message {
  readonly partition: number;
  /** Decimal; grows within its partition and may have gaps. */
  readonly offset: string;
  /** From 1: how often this consumer was given it since it last had the partition. A hint. */
  readonly attempt: number;
}

export type Verdict =
  | { readonly kind: 'done' }
  | { readonly kind: 'retry'; readonly afterMs: number }
  | { readonly kind: 'park'; readonly code: string };

export interface Publisher {
  /**
   * Resolves when every broker that must have them has them. In part or not at all when it throws:
   * the whole batch is to be published again, so consumers see it at least once.
   * @throws InvalidMessage · MessageTooLarge · TopicUnknown · MessagingUnavailable · MessagingRefused
   */
  publish(batch: OneOrMore<Message>): Promise<void>;
}

export interface Subscription {
  readonly topic: string;
  readonly as: GroupSubscription | OwnSubscription | { readonly kind: 'broadcast' };
  /**
   * Called each time it begins to be given messages: at its start, after members of its group came
   * or went, after a broker that was away came back. Must not throw.
   */
  readonly onGiven?: () => void;
}
/** Members share the topic; the broker keeps how far they are. A new group begins at the start. */
export interface GroupSubscription {
  readonly kind: 'group';
  readonly group: string;
}
/**
 * All partitions; how far it is, is stored with the effect. `offsets` are EXCLUSIVE: of the last
 * delivery of each partition whose effect is stored; a partition without one begins at its start.
 */
export interface OwnSubscription {
  readonly kind: 'own';
  readonly offsets: ReadonlyMap<number, string>;
}

/** Never called while its last call is at work; a throw is a `retry` of the whole batch. */
export type Handler = (batch: OneOrMore<Delivery>) => Promise<readonly Verdict[]>;

export interface Consumer {
  /**
   * One batch of one partition at a time, verdicts in order, one for each delivery; the offset
   * passes only `done` or a CONFIRMED park. After a `retry` its partition waits: it and what comes
   * after it are delivered again. `broadcast` sees all from now, in every process. Resolves after
   * an abort, when the handler's last call has been judged; goes on by itself after a broker that
   * was away comes back.
   * @throws TopicUnknown · MessagingUnavailable (at its start) · MessagingRefused · MessagesGone
   */
  run(subscription: Subscription, handle: Handler, signal: AbortSignal): Promise<void>;
}

/**
 * Optional ability: messages that handlers parked in the topic's dead-letter topic. One message that
 * several groups parked is there once for each; a repeated park of the same is there once.
 */
export interface ParkedMessages {
  /**
   * Oldest first, `after` an offset of this list (EXCLUSIVE). Partition and offset are those of the
   * dead-letter topic; the headers PARKED say why, by whom and whence.
   */
  list(topic: string, after: string | null, max: number): Promise<readonly Delivery[]>;
  /**
   * Publishes them again, as they were, and takes them off the list then; ids that are not parked
   * are passed over. @returns how many were published
   */
  replay(topic: string, ids: OneOrMore<string>): Promise<number>;
}

export const PARKED = {
  code: 'kcm-parked-code',
  group: 'kcm-parked-group',
  partition: 'kcm-parked-partition',
  offset: 'kcm-parked-offset',
} as const;

export const deadLetterTopic = (topic: string): string => `${topic}.dlq`;

export interface Messaging extends Publisher, Consumer, ParkedMessages {
  /** Ends what it has open; every later call is refused. Consumers end as by an abort. */
  close(): Promise<void>;
}
export const Messaging = Symbol('Messaging');
