import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseStream, UnknownEventType, type RecordedEvent } from '@kcm/kernel';
import { eventCatalog, EVENT_TYPES, EVENTS } from './catalog.js';
import { decidersByCategory, type DecidedCategory } from './deciders.js';
import type { Decider, DomainEvent } from './decider.js';

interface Golden {
  readonly events: readonly RecordedEvent[];
  /** What the stream's decider makes of them; null for a journal. */
  readonly state: unknown;
}
const GOLDEN = join(process.cwd(), 'libs/domain/golden');
const corpus = readdirSync(GOLDEN).map((file) => ({
  file,
  golden: JSON.parse(readFileSync(join(GOLDEN, file), 'utf8')) as Golden,
}));
const events = corpus.flatMap(({ golden }) => golden.events);

/** Sets and maps as lists, so that a state can be compared with its stored form. */
const plain = (state: unknown): unknown =>
  JSON.parse(
    JSON.stringify(state, (_, value: unknown) =>
      value instanceof Set || value instanceof Map ? [...value] : value,
    ),
  );

function fold({ events: stored }: Golden): unknown {
  const { category } = parseStream(stored[0]!.stream);
  if (!Object.hasOwn(decidersByCategory, category)) return null;
  const decider = decidersByCategory[category as DecidedCategory] as unknown as Decider<
    unknown,
    unknown,
    DomainEvent
  >;
  return stored.reduce(
    (state, event) => decider.evolve(state, eventCatalog.upcast(event)),
    decider.initial,
  );
}

describe('event catalog', () => {
  it('every event type, as it is written now, has a stored example', () => {
    const stored = new Set(events.map(({ type, schemaVersion }) => `${type} v${schemaVersion}`));
    const written = EVENT_TYPES.map((type) => `${type} v${EVENTS[type].schemaVersion}`);
    expect(written.filter((name) => !stored.has(name))).toEqual([]);
  });

  it.each(corpus)('$file loads, each event in its category', ({ file, golden }) => {
    for (const event of golden.events) {
      expect(`${event.stream}.json`).toBe(file);
      const { type, schemaVersion } = eventCatalog.upcast(event);
      const entry = Object.entries(EVENTS).find(([name]) => name === type)?.[1];
      const { category } = parseStream(event.stream);
      expect({ type, entry }).toEqual({ type, entry: { category, schemaVersion } });
    }
  });

  it.each(corpus)('$file folds to the state that it has always folded to', ({ golden }) =>
    expect(plain(fold(golden))).toEqual(golden.state),
  );

  it.each([
    ['KeyForgotten', 1],
    ['KeyCreated', 2],
    ['KeyCreated', 0],
    ['constructor', 1],
    ['__proto__', 1],
  ])('%s v%s stops the reader', (type, schemaVersion) => {
    const event = { ...events[0]!, type, schemaVersion };
    expect(() => eventCatalog.upcast(event)).toThrow(UnknownEventType);
  });
});
