import type { Code, EventData, FieldError } from '@kcm/kernel';

/** What a decider sees of an event: its name and what it says. */
export interface DomainEvent<T extends string = string, D = EventData> {
  readonly type: T;
  readonly data: D;
}

export interface Refused {
  readonly kind: 'refused';
  readonly code: Code;
  readonly detail: string;
  readonly errors?: readonly FieldError[];
}
export type Decision<E> = { readonly kind: 'accepted'; readonly events: readonly E[] } | Refused;

export const accepted = <E>(...events: readonly E[]): Decision<E> => ({ kind: 'accepted', events });
export const refused = (code: Code, detail: string, errors?: readonly FieldError[]): Refused => ({
  kind: 'refused',
  code,
  detail,
  ...(errors ? { errors } : {}),
});

/** Three pure values (emmett's form): time, ids and random bytes arrive inside the command. */
export interface Decider<C, S, E extends DomainEvent> {
  readonly initial: S;
  decide(command: C, state: S): Decision<E>;
  evolve(state: S, event: E): S;
}
