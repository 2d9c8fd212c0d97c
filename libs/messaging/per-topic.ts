import type { OneOrMore } from '@kcm/kernel';
import type { Message, Publisher } from './messaging.js';

type Closing = Publisher & { close(): Promise<void> };

/**
 * A publisher for each topic, opened with its first batch: a write that hangs, or whose connection
 * is lost, keeps back what goes to its own topic and nothing else.
 */
export class PerTopic implements Publisher {
  readonly #open = new Map<string, Closing>();

  constructor(private readonly open: () => Closing) {}

  /** All of a batch goes to one topic; as Publisher.publish. */
  publish(batch: OneOrMore<Message>): Promise<void> {
    const [{ topic }] = batch;
    const known = this.#open.get(topic) ?? this.open();
    this.#open.set(topic, known);
    return known.publish(batch);
  }

  async close(): Promise<void> {
    await Promise.all([...this.#open.values()].map((each) => each.close()));
  }
}
