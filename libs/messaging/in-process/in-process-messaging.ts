import { LIMITS, type OneOrMore, type Scheduler } from '@kcm/kernel';
import {
  assertPublishable,
  assertTopic,
  type Delivery,
  type Handler,
  type Message,
  type Messaging,
  MessagingUnavailable,
  settle,
  type Subscription,
  TopicUnknown,
} from '../index.js';
import { ParkedList } from './parked-list.js';
import { Readers } from './readers.js';
import { TopicLog } from './topic-log.js';

export interface InProcessOptions {
  /** Partitions of each topic. */
  readonly topics: Readonly<Record<string, number>>;
  readonly scheduler: Scheduler;
  /** What goes on by itself and somebody should know. Must not throw. */
  readonly told: (error: unknown) => void;
}
interface Topic {
  readonly log: TopicLog;
  readonly groups: Map<string, Readers>;
  readonly parked: ParkedList;
}

/**
 * Messages within one process, in its memory: a restart begins with none, and of each partition the
 * newest 10,000 at least are kept. For what a restart publishes anew.
 */
export class InProcessMessaging implements Messaging {
  readonly #topics = new Map<string, Topic>();
  readonly #closing = new AbortController();
  readonly #runs = new Set<Promise<void>>();
  /** Of the runs that wait for something to do. */
  readonly #asleep = new Set<() => void>();

  constructor(private readonly options: InProcessOptions) {
    for (const [name, partitions] of Object.entries(options.topics)) {
      assertTopic(name);
      const log = new TopicLog(name, partitions);
      this.#topics.set(name, { log, groups: new Map(), parked: new ParkedList() });
    }
  }

  async publish(batch: OneOrMore<Message>): Promise<void> {
    assertPublishable(batch);
    const logs = batch.map(({ topic }) => this.#topic(topic).log);
    for (const [index, message] of batch.entries()) logs[index]!.append(message);
    this.#wake();
  }

  async run(subscription: Subscription, handle: Handler, signal: AbortSignal): Promise<void> {
    const { as } = subscription;
    const topic = this.#topic(subscription.topic);
    const readers =
      (as.kind === 'group' ? topic.groups.get(as.group) : undefined) ??
      new Readers(
        subscription.topic,
        topic.log,
        as,
        as.kind === 'group' ? this.options.told : null,
      );
    if (as.kind === 'group') topic.groups.set(as.group, readers);
    const name = as.kind === 'group' ? as.group : as.kind;
    const park = async (delivery: Delivery, code: string): Promise<void> =>
      topic.parked.add(delivery, name, code);
    const end = AbortSignal.any([signal, this.#closing.signal]);
    const run = this.#read(readers, handle, park, end);
    subscription.onGiven?.();
    this.#runs.add(run);
    try {
      await run;
    } finally {
      this.#runs.delete(run);
    }
  }

  async list(topic: string, after: string | null, max: number): Promise<readonly Delivery[]> {
    return this.#topic(topic).parked.list(after, Math.min(max, LIMITS.listItemsMax));
  }

  async replay(topic: string, ids: OneOrMore<string>): Promise<number> {
    const { log, parked } = this.#topic(topic);
    const messages = parked.take(new Set(ids));
    for (const message of messages) log.append(message);
    this.#wake();
    return messages.length;
  }

  async close(): Promise<void> {
    this.#closing.abort();
    await Promise.allSettled(this.#runs);
  }

  async #read(
    readers: Readers,
    handle: Handler,
    park: (delivery: Delivery, code: string) => Promise<void>,
    end: AbortSignal,
  ): Promise<void> {
    const waiting = new Map<() => void, () => void>();
    while (!end.aborted) {
      const piece = readers.take();
      if (piece === null) {
        await this.#sleep(end);
        continue;
      }
      const { passed, waitMs } = await settle(piece, handle, park, this.options.told);
      readers.passed(piece, passed);
      const free = (): void => {
        waiting.delete(free);
        readers.free(piece[0]);
        this.#wake();
      };
      if (waitMs === null) free();
      else waiting.set(free, this.options.scheduler.after(waitMs, free));
    }
    // Who goes lets go: another member of the group need not wait.
    for (const [free, cancel] of waiting) {
      cancel();
      free();
    }
  }

  async #sleep(end: AbortSignal): Promise<void> {
    let wake = (): void => undefined;
    const woken = new Promise<void>((resolve) => (wake = resolve));
    this.#asleep.add(wake);
    end.addEventListener('abort', wake);
    await woken;
    end.removeEventListener('abort', wake);
    this.#asleep.delete(wake);
  }

  #wake(): void {
    for (const wake of this.#asleep) wake();
  }

  #topic(name: string): Topic {
    assertTopic(name);
    if (this.#closing.signal.aborted) throw new MessagingUnavailable('Messaging is closed.');
    const topic = this.#topics.get(name);
    if (topic === undefined) throw new TopicUnknown(name);
    return topic;
  }
}
