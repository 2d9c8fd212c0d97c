import type { AnyEvent, Recorded } from '@kcm/domain';
import type { Process, Todo } from '@kcm/processes';
import { acmeStory } from './acme-story.js';
import { storedForm } from './fold-projection.js';

/** Folds as the process host does, each state stored and loaded between two events. */
export class ProcessFold<S> {
  readonly #states = new Map<string, string>();

  constructor(private readonly process: Process<S>) {}

  add(events: readonly Recorded[]): this {
    const handled = new Set<AnyEvent['type']>(this.process.handles);
    for (const event of events) {
      if (!handled.has(event.type)) continue;
      for (const subject of this.process.subjects(event)) {
        const after = this.process.evolve(this.state(subject), event);
        this.#states.set(subject, JSON.stringify(storedForm(after)));
      }
    }
    return this;
  }
  state(subject: string): S {
    const stored = this.#states.get(subject);
    return stored === undefined ? this.process.initial(subject) : (JSON.parse(stored) as S);
  }
  todo(subject: string): readonly Todo[] {
    return this.process.todo(this.state(subject));
  }
  get subjects(): readonly string[] {
    return [...this.#states.keys()].toSorted();
  }
}

/** What every process owes: JSON states, stable ids, and the same list whatever the restarts. */
export function processContract<S>(process: Process<S>): void {
  const { events } = acmeStory();

  it('ends in the same list whether folded in memory or stored after each event', () => {
    const stored = new ProcessFold(process).add(events);
    for (const subject of stored.subjects) {
      const state = events
        .filter(
          (event) =>
            process.handles.includes(event.type) && process.subjects(event).includes(subject),
        )
        .reduce((at, event) => process.evolve(at, event), process.initial(subject));
      expect(stored.state(subject)).toEqual(storedForm(state));
      expect(stored.todo(subject)).toEqual(process.todo(state));
    }
    expect(stored.subjects.length).toBeGreaterThan(0);
  });

  it('names each item of a list differently, at every moment of the story', () => {
    const fold = new ProcessFold(process);
    for (const event of events) {
      fold.add([event]);
      for (const subject of fold.subjects) {
        const ids = fold.todo(subject).map(({ id }) => id);
        expect(new Set(ids).size).toBe(ids.length);
      }
    }
  });

  it('handles every event type that it names', () => {
    const told = new Set(events.map(({ type }) => type));
    expect(process.handles.filter((type) => !told.has(type))).toEqual([]);
  });
}
