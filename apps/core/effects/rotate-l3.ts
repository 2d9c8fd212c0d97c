import { nextVersion } from '@kcm/domain';
import { KcmError } from '@kcm/kernel';
import type { RunEffect } from './context.js';
import { completeRotation, refuseRotation, rotationEnds } from './end-rotation.js';
import { makingClosedNow, keyStateOf } from './states.js';
import { wrapL3 } from './wrap-l3.js';

/**
 * The next version of an L3: in the vault first, then recorded. Holders go on with what they have;
 * old versions stay for decryption.
 */
export const rotateL3: RunEffect<'rotateL3'> = (deps, effect, trace) =>
  deps.turns.take(effect.tenant, async () => {
    const { tenant, key, operation } = effect;
    const state = await keyStateOf(deps, tenant, key);
    if (state.status !== 'rotating' || state.operation !== operation) return;
    const { current: from, service } = state;
    const rotation = { tenant, key, operation, cause: state.cause };
    if (service === null) return refuseRotation(deps, rotation, trace, 'wrong_state');
    const closed = await makingClosedNow(deps, tenant, service);
    if (closed !== null) return refuseRotation(deps, rotation, trace, closed);
    const made = await wrapL3(deps, { tenant, key, version: nextVersion(state) }, service);
    if (!made.ok) {
      if (rotationEnds(rotation, made.code, made.effect === 'denied'))
        return refuseRotation(deps, rotation, trace, made.code);
      throw new KcmError(made.code, 'The tenant key cannot be opened at present.');
    }
    await completeRotation(deps, rotation, from, made.version, trace);
  });
