import type { ActContext, CoreView, KeyService, Trace } from '@kcm/custody';
import type { ClaimCommand, EdgeCommand, RotationCause, ShredWord } from '@kcm/domain';
import type { Clock, CommandId, KeyedTurns, Position, Random, StreamId } from '@kcm/kernel';
import type { EventCatalog, Ledger } from '@kcm/ledger';
import type { Effect, Step } from '@kcm/processes';
import type { BlobStore } from '@kcm/vault';

export type EffectOf<K extends Effect['kind']> = Extract<Effect, { kind: K }>;

/** A command that an effect ends with. */
export type CoreStep =
  | Exclude<Step, Effect>
  | { readonly kind: 'claim'; readonly stream: StreamId; readonly command: ClaimCommand }
  | { readonly kind: 'edge'; readonly stream: StreamId; readonly command: EdgeCommand };

/**
 * Ends in runDecider, with an empty fingerprint. Resolves once the events are durable; position
 * null when there was nothing to write. @throws KcmError the decider's refusal, or the ledger's
 * trouble
 */
export type Dispatch = (
  step: CoreStep,
  context: ActContext,
) => Promise<{ readonly position: Position | null }>;

/** The item of the to-do list that an effect serves. */
export interface EffectTrace extends Trace {
  /** Deterministic for the item; each command of the effect derives its own from it. */
  readonly commandId: CommandId;
}
export interface EffectDeps {
  readonly keys: KeyService;
  readonly view: CoreView;
  readonly ledger: Ledger;
  readonly catalog: EventCatalog;
  readonly dispatch: Dispatch;
  /** As it is on disk. */
  readonly vault: BlobStore;
  /** Behind the barrier. */
  readonly wrapped: BlobStore;
  readonly erasure: BlobStore;
  /** One effect of a tenant's keys at a time: a creation never overlaps a shred. */
  readonly turns: KeyedTurns;
  readonly clock: Clock;
  /** A rotation ended; without a cause it was somebody's command. Must not throw. */
  readonly onRotation: (cause: RotationCause | undefined, outcome: 'done' | 'refused') => void;
  readonly random: Random;
  readonly region: string;
  /** What is true of a shred here, once this path is erased from the erasure store. */
  readonly shredWord: (path: string) => Promise<ShredWord>;
}
/** Idempotent and restartable at any step. @throws KcmError to be tried again later */
export type RunEffect<K extends Effect['kind']> = (
  deps: EffectDeps,
  effect: EffectOf<K>,
  trace: EffectTrace,
) => Promise<void>;
