import {
  decidersByCategory,
  type AnyEvent,
  type CommandOf,
  type DecidedCategory,
  type Decider,
  type DomainEvent,
  type Recorded,
} from '@kcm/domain';
import {
  commandIdOf,
  eventIdOf,
  parseStream,
  rfc3339,
  type EventData,
  type Position,
  type StreamId,
} from '@kcm/kernel';

const START = Date.parse('2030-01-01T00:00:00.000Z');

export interface Telling {
  readonly actor?: string;
  /** Who the envelope names; by default the stream's tenant, null for a region's stream. */
  readonly tenant?: string | null;
  readonly correlationId?: string;
}

/**
 * A ledger in memory for the specs of folds: commands go through the real deciders, so that a story
 * can only tell what the product could have recorded. Ids, positions and times are the same each
 * run.
 */
export class Story {
  readonly events: Recorded[] = [];
  readonly #states = new Map<StreamId, unknown>();
  readonly #revisions = new Map<StreamId, number>();
  #now = START;
  #commands = 0;

  get now(): string {
    return rfc3339(this.#now);
  }
  after(seconds: number): string {
    return rfc3339(this.#now + seconds * 1000);
  }
  /** Lets time pass. */
  wait(seconds: number): this {
    this.#now += seconds * 1000;
    return this;
  }

  /** Decides and records. @throws Error when the decider refuses: the story is wrong */
  run<K extends DecidedCategory>(
    stream: StreamId,
    command: CommandOf<K>,
    telling: Telling = {},
  ): this {
    const category = parseStream(stream).category as DecidedCategory;
    const decider = decidersByCategory[category] as unknown as Decider<
      unknown,
      unknown,
      DomainEvent
    >;
    let state = this.#states.get(stream) ?? decider.initial;
    const decision = decider.decide(command, state);
    if (decision.kind === 'refused') throw new Error(`${stream}: ${decision.detail}`);
    this.note(stream, decision.events as unknown as readonly AnyEvent[], telling);
    for (const event of decision.events) state = decider.evolve(state, event);
    this.#states.set(stream, state);
    return this;
  }

  /** Records what no decider decides: a journal's entries, one command together. */
  note(stream: StreamId, events: readonly AnyEvent[], telling: Telling = {}): this {
    this.#commands += 1;
    const commandId = commandIdOf(['story', this.#commands]);
    const { category, owner } = parseStream(stream);
    const regional = ['edge', 'region', 'calls', 'refused', 'claim'].includes(category);
    const { actor = 'sub-admin', correlationId = `corr-${this.#commands}` } = telling;
    const tenant = telling.tenant === undefined ? (regional ? null : owner) : telling.tenant;
    for (const [ordinal, { type, data }] of events.entries()) {
      const revision = (this.#revisions.get(stream) ?? -1) + 1;
      this.#revisions.set(stream, revision);
      const { term = 1, epoch = 0 } = data as { term?: number; epoch?: number };
      this.events.push({
        id: eventIdOf(commandId, stream, ordinal),
        type,
        schemaVersion: 1,
        data: structuredClone(data) as EventData,
        meta: {
          commandId,
          fingerprint: '',
          tenant,
          actor,
          origin: 'local',
          term,
          epoch,
          occurredAt: this.now,
          correlationId,
          causationId: correlationId,
        },
        stream,
        revision,
        position: String(this.events.length + 1).padStart(16, '0') as Position,
      } as Recorded);
    }
    this.#now += 1000;
    return this;
  }
}
