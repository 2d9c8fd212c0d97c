import { byItself, type KeyCommand, type RotationCause } from '@kcm/domain';
import { type Code, streamOf } from '@kcm/kernel';
import type { EffectDeps, EffectTrace } from './context.js';
import { derived } from './derived-context.js';

/**
 * A command for a key's decider; resolves when the view knows what it recorded. `of` is what differs
 * between two attempts.
 */
export async function recordKey(
  deps: EffectDeps,
  { tenant, key }: { readonly tenant: string; readonly key: string },
  command: KeyCommand,
  trace: EffectTrace,
  of: string,
): Promise<void> {
  const { position } = await deps.dispatch(
    { kind: 'key', stream: streamOf('key', tenant, key), command },
    derived(trace, tenant, command.kind, of),
  );
  if (position !== null) await deps.view.reached(position);
}

/** What a keystore had no part in passes by itself. */
const OURS: ReadonlySet<Code> = new Set(['sealed', 'ledger_unavailable']);

/**
 * Whether a rotation that cannot be done now ends: what the customer refused, or is gone from the
 * stores, does not come by asking again, and what nobody asked for comes again in its time. Anything
 * else is tried until it is done.
 */
export const rotationEnds = (
  cause: RotationCause | undefined,
  code: Code,
  denied: boolean,
): boolean => denied || code === 'integrity' || (byItself(cause) && !OURS.has(code));

export const refuseRotation = (
  deps: EffectDeps,
  rotation: { readonly tenant: string; readonly key: string; readonly operation: string },
  trace: EffectTrace,
  code: Code,
): Promise<void> => {
  const { operation } = rotation;
  return recordKey(deps, rotation, { kind: 'RefuseRotation', operation, code }, trace, code);
};
