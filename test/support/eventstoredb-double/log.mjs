// What the double keeps: the rules of EventStoreDB's log as far as its documents tell them.

/** EventStoreDB begins with records of its own. */
const FIRST_POSITION = 1_000n;

export class Conflict extends Error {
  constructor(expected, actual) {
    super('wrong expected version');
    this.expected = expected;
    this.actual = actual;
  }
}
export class Deleted extends Error {}

export class Log {
  records = [];
  #streams = new Map();
  #tombstones = new Set();
  #next = FIRST_POSITION;
  #listeners = new Set();

  constructor() {
    this.#store('$users', [systemEvent('$UserCreated', 1)]);
  }

  listen(listener) {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** `expected`: a bigint, 'no_stream', 'any' or 'stream_exists'. */
  append(stream, expected, events) {
    if (this.#tombstones.has(stream)) throw new Deleted(stream);
    const all = this.#streams.get(stream) ?? [];
    const last = BigInt(all.length) - 1n;
    const actual = all.length === 0 || this.#cut(stream) > last ? 'no_stream' : last;
    const fits =
      expected === 'any' ||
      (expected === 'stream_exists' ? actual !== 'no_stream' : expected === actual);
    if (!fits) {
      const from = expected === 'no_stream' ? 0 : Number(expected) + 1;
      const there = all.slice(from, from + events.length);
      // A known append again, at its own revision: the server answers as the first time.
      if (there.length === events.length && there.every(({ id }, at) => id === events[at].id))
        return { last: there.at(-1), again: true };
      throw new Conflict(expected, actual);
    }
    this.#store(stream, events);
    // What a server writes by itself: statistics, and links that its projections make.
    this.#store('$stats-127.0.0.1:2113', [systemEvent('$statsCollected', this.records.length)]);
    const target = this.#streams.get(stream).at(-1);
    this.#store('links', [{ ...systemEvent('$>', 0), data: text(`${target.revision}@${stream}`) }]);
    for (const listener of this.#listeners) listener();
    return { last: target, again: false };
  }

  tombstone(stream) {
    this.#store(stream, [systemEvent('$streamDeleted', 0)], 2n ** 63n - 1n);
    this.#tombstones.add(stream);
    for (const listener of this.#listeners) listener();
  }

  isDeleted(stream) {
    return this.#tombstones.has(stream);
  }

  /** What reads of the stream see, or null. */
  visible(stream) {
    const cut = this.#cut(stream);
    const seen = (this.#streams.get(stream) ?? []).filter(({ revision }) => revision >= cut);
    const most = this.#settings(stream).$maxCount;
    const kept = typeof most === 'number' ? seen.slice(-most) : seen;
    return kept.length === 0 ? null : kept;
  }

  /** The index of the first record at or behind a position. */
  from(position) {
    let [low, high] = [0, this.records.length];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.records[middle].position < position) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  #cut(stream) {
    return BigInt(this.#settings(stream).$tb ?? 0);
  }
  #settings(stream) {
    const last = stream.startsWith('$$') ? undefined : this.#streams.get(`$$${stream}`)?.at(-1);
    return last === undefined ? {} : JSON.parse(Buffer.from(last.data).toString('utf8'));
  }

  #store(stream, events, revisionOf = null) {
    const all = this.#streams.get(stream) ?? [];
    this.#streams.set(stream, all);
    for (const event of events) {
      const revision = revisionOf ?? BigInt(all.length);
      const record = { ...event, stream, revision, position: this.#next };
      this.#next += BigInt(100 + event.data.length);
      all.push(record);
      this.records.push(record);
    }
  }
}

const text = (value) => new Uint8Array(Buffer.from(value, 'utf8'));
let made = 0;
function systemEvent(type, n) {
  made += 1;
  const id = `00000000-0000-4000-8000-${String(made).padStart(12, '0')}`;
  return { id, type, contentType: 'application/json', data: text(`{"n":${n}}`), meta: text('') };
}
