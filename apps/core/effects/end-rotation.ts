import { byItself, type RotationCause, type WrappedVersion } from '@kcm/domain';
import type { Code } from '@kcm/kernel';
import type { EffectDeps, EffectTrace } from './context.js';
import { recordKey } from './record-key.js';

/** A rotation under way, and why it was asked for; without a cause it is somebody's command. */
export interface Rotation {
  readonly tenant: string;
  readonly key: string;
  readonly operation: string;
  readonly cause: RotationCause | undefined;
}

/** What a keystore had no part in passes by itself. */
const OURS: ReadonlySet<Code> = new Set(['sealed', 'ledger_unavailable']);

/**
 * Whether a rotation that cannot be done now ends: what the customer refused, or is gone from the
 * stores, does not come by asking again, and what nobody asked for comes again in its time. Anything
 * else is tried until it is done.
 */
export const rotationEnds = ({ cause }: Rotation, code: Code, denied: boolean): boolean =>
  denied || code === 'integrity' || (byItself(cause) && !OURS.has(code));

export async function completeRotation(
  deps: EffectDeps,
  rotation: Rotation,
  from: number,
  version: WrappedVersion,
  trace: EffectTrace,
): Promise<void> {
  const { operation, cause } = rotation;
  const command = { kind: 'CompleteRotation', from, operation, ...version } as const;
  await recordKey(deps, rotation, command, trace, version.digest);
  deps.onRotation(cause, 'done');
}

export async function refuseRotation(
  deps: EffectDeps,
  rotation: Rotation,
  trace: EffectTrace,
  code: Code,
): Promise<void> {
  const { operation, cause } = rotation;
  await recordKey(deps, rotation, { kind: 'RefuseRotation', operation, code }, trace, code);
  deps.onRotation(cause, 'refused');
}
