import type { AccessCommand, RootKeysCommand } from '@kcm/domain';
import type { CommandId, StreamId } from '@kcm/kernel';

/** What Core records by itself about a customer's root key: a command for a decider. */
export type CustodyAct =
  | { readonly kind: 'access'; readonly stream: StreamId; readonly command: AccessCommand }
  | { readonly kind: 'rootkeys'; readonly stream: StreamId; readonly command: RootKeysCommand };

/** Who acts and on what occasion. */
export interface Trace {
  /** `core`, `keystore` or `process:{name}`. */
  readonly actor: string;
  readonly correlationId: string;
  readonly causationId: string;
  /** The trace that this is part of. */
  readonly traceparent?: string | undefined;
}
export interface ActContext extends Trace {
  /** The same for each repetition of one act. */
  readonly commandId: CommandId;
  readonly tenant: string | null;
}
/**
 * Injected by the composition; ends in runDecider. Resolves once the events are durable.
 * @throws KcmError the decider's refusal · ledger_unavailable · revision_conflict
 */
export type RecordAct = (act: CustodyAct, context: ActContext) => Promise<unknown>;

/** For what Core does on its own account: the occasion is the keystore call itself. */
export const ownTrace = (correlationId: string, traceparent?: string): Trace => ({
  actor: 'core',
  correlationId,
  causationId: correlationId,
  traceparent,
});
