import { type Delivery, type Message, PARKED } from '../index.js';

/** What was parked of one topic, oldest first. */
export class ParkedList {
  readonly #parked = new Map<string, Delivery>();
  #next = 0;

  add(delivery: Delivery, group: string, code: string): void {
    const { partition, offset } = delivery;
    const place = `${group}/${partition}/${offset}`;
    this.#parked.delete(place);
    this.#parked.set(place, {
      ...delivery,
      headers: {
        ...delivery.headers,
        [PARKED.code]: code,
        [PARKED.group]: group,
        [PARKED.partition]: String(partition),
        [PARKED.offset]: offset,
      },
      partition: 0,
      offset: String(this.#next),
      attempt: 1,
    });
    this.#next += 1;
  }

  list(after: string | null, max: number): readonly Delivery[] {
    const past = after === null ? -1 : Number(after);
    return [...this.#parked.values()].filter(({ offset }) => Number(offset) > past).slice(0, max);
  }

  /** Takes them off, each message once. */
  take(ids: ReadonlySet<string>): readonly Message[] {
    const taken = new Map<string, Message>();
    for (const [place, { topic, key, id, headers, body }] of this.#parked) {
      if (!ids.has(id)) continue;
      const own = Object.entries(headers).filter(([name]) => !name.startsWith('kcm-'));
      if (!taken.has(id)) taken.set(id, { topic, key, id, headers: Object.fromEntries(own), body });
      this.#parked.delete(place);
    }
    return [...taken.values()];
  }
}
