import type { ActContext } from '@kcm/custody';
import { commandIdOf } from '@kcm/kernel';
import type { EffectTrace } from './context.js';

/**
 * The context of one command of an effect. `of` names the command and whatever differs between two
 * attempts (a digest, a call id), so that a repetition is the same command and another attempt is
 * not.
 */
export const derived = (
  trace: EffectTrace,
  tenant: string | null,
  ...of: readonly string[]
): ActContext => ({
  actor: trace.actor,
  correlationId: trace.correlationId,
  causationId: trace.causationId,
  traceparent: trace.traceparent,
  tenant,
  commandId: commandIdOf([trace.commandId, ...of]),
});
