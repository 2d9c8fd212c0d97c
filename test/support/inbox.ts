import { KeyedTurns, type LedgerId, type OneOrMore, type Position } from '@kcm/kernel';
import type { RecordedEvent } from '@kcm/kernel';
import type { Ledger } from '@kcm/ledger';
import type { DocKey, ReadModelWriter, Stored } from '@kcm/read-models';

const NAME = 'inbox';
const VERSION = 1;
const LOOK_MAX = 200;
const OF = 'messages' as LedgerId;
const keyOf = (seq: number): DocKey => String(seq).padStart(12, '0') as DocKey;

interface Letter {
  readonly event: RecordedEvent;
}

/**
 * How somebody keeps a copy of a region's ledger by its messages: each is stored under its number
 * before it is done with, and what is there without a gap is appended to the copy, with the same
 * stream, revision and id. So neither order nor repetition of the messages matters.
 */
export class Inbox {
  readonly #turns = new KeyedTurns();
  #next = 0;

  constructor(
    private readonly store: ReadModelWriter,
    private readonly copy: Ledger,
  ) {}

  get next(): number {
    return this.#next;
  }

  async take(seq: number, event: RecordedEvent): Promise<void> {
    const at = String(seq + 1).padStart(20, '0') as Position;
    const letter: Stored<Letter> = { key: keyOf(seq), doc: { event }, at };
    await this.store.commit<Letter>(NAME, VERSION, [letter], { ledger: OF, position: at }, []);
    await this.#turns.take('drain', () => this.#drain());
  }

  async #drain(): Promise<void> {
    for (;;) {
      const keys = Array.from({ length: LOOK_MAX }, (_, n) => keyOf(this.#next + n));
      const there = await this.store.load<Letter>(NAME, VERSION, keys);
      for (const key of keys) {
        const letter = there.get(key)?.doc;
        if (letter === undefined || letter === null) return;
        const { stream, revision, id, type, schemaVersion, data, meta } = letter.event;
        const events: OneOrMore<never> = [{ id, type, schemaVersion, data, meta }] as never;
        await this.copy.append(stream, revision === 0 ? 'noStream' : revision - 1, events);
        this.#next += 1;
      }
    }
  }
}
