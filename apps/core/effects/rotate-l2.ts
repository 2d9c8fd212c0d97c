import { nextVersion } from '@kcm/domain';
import { type Code, KcmError } from '@kcm/kernel';
import type { RunEffect } from './context.js';
import { completeRotation, refuseRotation, rotationEnds } from './end-rotation.js';
import { makingClosedNow, connectedRootKey, keyStateOf } from './states.js';
import { wrapL2 } from './wrap-l2.js';

/** The current version is not to be opened: the next one is put in its place by its own unwrap. */
const NOTHING_TO_PROVE_BY: ReadonlySet<Code> = new Set<Code>([
  'not_found',
  'key_archived',
  'key_destroyed',
]);

/**
 * The next version of the L2, from a fresh seed under the root key of the version before: in the
 * vault and opened again from there, then recorded. What hangs from earlier versions opens as before
 * until it is wrapped anew; new L3 versions hang from this one.
 */
export const rotateL2: RunEffect<'rotateL2'> = (deps, effect, trace) =>
  deps.turns.take(effect.tenant, async () => {
    const { tenant, key, operation } = effect;
    const state = await keyStateOf(deps, tenant, key);
    if (state.status !== 'rotating' || state.operation !== operation) return;
    const { current: from, versions } = state;
    const rotation = { tenant, key, operation, cause: state.cause };
    const closed = await makingClosedNow(deps, tenant, null);
    if (closed !== null) return refuseRotation(deps, rotation, trace, closed);
    // A keystore that does not answer is asked by the authority alone, and ever less often.
    const held = await deps.keys.authority.hold(tenant);
    if (!held.ok && !NOTHING_TO_PROVE_BY.has(held.code)) {
      if (rotationEnds(rotation, held.code, held.effect === 'denied'))
        return refuseRotation(deps, rotation, trace, held.code);
      throw new KcmError(held.code, 'The root key cannot be asked at present.');
    }
    const { wrappedBy } = versions.find(({ version }) => version === from)!;
    const rootKey = await connectedRootKey(deps, tenant, wrappedBy.id);
    const identity = { tenant, key, version: nextVersion(state) };
    const made = await wrapL2(deps, identity, rootKey, 'rotate', trace);
    if (!made.ok) {
      const denied = made.cause === 'denied';
      if (!rotationEnds(rotation, made.code, denied)) throw new KcmError(made.code, made.detail);
      // Whether the tenant closes is decided by an unwrap of the key that is in use.
      if (denied) await deps.keys.authority.reprove(tenant);
      return refuseRotation(deps, rotation, trace, made.code);
    }
    await completeRotation(deps, rotation, from, made.value, trace);
  });
