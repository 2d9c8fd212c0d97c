import type { Decider, DomainEvent } from '@kcm/domain';
import type { Code } from '@kcm/kernel';

/**
 * A decider's specification in its own words: given(decider, events).when(command).then(events).
 */
export function given<C, S, E extends DomainEvent>(
  decider: Decider<C, S, E>,
  history: readonly E[] = [],
) {
  const state = history.reduce((at, event) => decider.evolve(at, event), decider.initial);
  return {
    state,
    when(command: C) {
      const decision = decider.decide(command, state);
      return {
        /** Accepted with exactly these events, in this order. */
        // oxlint-disable-next-line unicorn/no-thenable -- the words of the specification; never awaited
        then(...events: readonly E[]) {
          expect(decision).toEqual({ kind: 'accepted', events });
        },
        /** Accepted, and there is nothing to record. */
        thenNothing() {
          expect(decision).toEqual({ kind: 'accepted', events: [] });
        },
        /** Refused with this code, a sentence for people and, if named, these wrong fields. */
        refused(code: Code, ...paths: readonly string[]) {
          expect(decision).toMatchObject({ kind: 'refused', code });
          if (decision.kind !== 'refused') return;
          expect(decision.detail).toMatch(/^[A-Z].*\.$/);
          if (paths.length > 0) expect(decision.errors?.map(({ path }) => path)).toEqual(paths);
        },
      };
    },
  };
}

/** What a cell expects: a refusal's code, or the names of the events in order. */
export type Cell<E extends DomainEvent> = Code | readonly E['type'][];
export interface Cells<
  C extends { kind: string },
  S extends { status: string },
  E extends DomainEvent,
  Scenario extends string,
> {
  /** Which scenario shows a status of the state; the types leave no status out. */
  readonly shows: { readonly [Status in S['status']]: Scenario };
  /** How each state is reached. */
  readonly histories: { readonly [K in Scenario]: readonly E[] };
  readonly commands: { readonly [K in C['kind']]: C & { readonly kind: K } };
  readonly table: { readonly [S in Scenario]: { readonly [K in C['kind']]: Cell<E> } };
}

/** One test a cell of states × commands; the types leave no cell out. */
export function everyCell<
  C extends { kind: string },
  S extends { status: string },
  E extends DomainEvent,
  Scenario extends string,
>(decider: Decider<C, S, E>, cells: Cells<C, S, E, Scenario>): void {
  it('every status of the state is shown by a scenario', () => {
    for (const [status, scenario] of Object.entries<Scenario>(cells.shows))
      expect(given(decider, cells.histories[scenario]).state.status).toBe(status);
  });
  for (const scenario of Object.keys(cells.histories) as Scenario[])
    for (const kind of Object.keys(cells.commands) as C['kind'][]) {
      const cell = cells.table[scenario][kind];
      const wanted = Array.isArray(cell) ? cell.join(' + ') || 'accepted without event' : cell;
      it(`${scenario} × ${kind}: ${String(wanted)}`, () => {
        const { state } = given(decider, cells.histories[scenario]);
        const decision = decider.decide(cells.commands[kind], state);
        const said =
          decision.kind === 'refused' ? decision.code : decision.events.map(({ type }) => type);
        expect(said).toEqual(cell);
      });
    }
}
