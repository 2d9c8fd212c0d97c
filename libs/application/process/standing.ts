import type { Clock, EventId, Random, Scheduler } from '@kcm/kernel';
import type { Step, Todo } from '@kcm/processes';

/** The event that put an item on its list, and the correlation id that it carries on. */
export interface Cause {
  readonly event: EventId;
  readonly correlationId: string;
  /** The trace that it carries on, however much later. */
  readonly traceparent?: string;
}
export type StandingTodo = Todo & { readonly cause: Cause };
/**
 * Names an item. Its command id is UUIDv5 over [process, subject, item, cause]: an item that was
 * taken off and is put on again is another one.
 */
export interface ItemRef {
  readonly process: string;
  readonly subject: string;
  readonly item: string;
  readonly cause: Cause;
}

export type ExecuteStep = (step: Step, ref: ItemRef) => Promise<void>;

export interface TodoRunnerDeps {
  readonly clock: Clock;
  readonly scheduler: Scheduler;
  readonly random: Random;
  /** At least once; ends by appending the event that takes the item off the list. */
  readonly execute: ExecuteStep;
  /** An item failed and is tried again; `attempts` counts from 1. Must not throw. */
  onFailed(ref: ItemRef, error: unknown, attempts: number): void;
}
export interface StandingItem extends ItemRef {
  readonly attempts: number;
  /** How often it was begun. */
  readonly runs: number;
  /**
   * How long it has been due, as far as this process knows, whatever the wall clock did meanwhile;
   * below 0: it is not due yet.
   */
  readonly dueMs: number;
  readonly running: boolean;
}

/** How much of one process is done at a time. */
export interface Pace {
  readonly concurrencyMax: number;
  /** So many late items are begun a second, at most; absent: all at once. */
  readonly latePerSecondMax?: number | undefined;
}
