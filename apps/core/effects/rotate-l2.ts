import { nextVersion } from '@kcm/domain';
import { KcmError } from '@kcm/kernel';
import type { RunEffect } from './context.js';
import { recordKey, refuseRotation } from './record-key.js';
import { makingClosedNow, connectedRootKey, keyStateOf } from './states.js';
import { wrapL2 } from './wrap-l2.js';

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
    const closed = await makingClosedNow(deps, tenant, null);
    if (closed !== null) return refuseRotation(deps, effect, trace, closed);
    const { wrappedBy } = versions.find(({ version }) => version === from)!;
    const rootKey = await connectedRootKey(deps, tenant, wrappedBy.id);
    const identity = { tenant, key, version: nextVersion(state) };
    const made = await wrapL2(deps, identity, rootKey, 'rotate', trace);
    if (!made.ok) {
      // What is gone from the stores does not come back by asking again.
      if (made.cause === 'integrity') return refuseRotation(deps, effect, trace, made.code);
      if (made.cause !== 'denied') throw new KcmError(made.code, made.detail);
      // Whether the tenant closes is decided by an unwrap of the key that is in use.
      await deps.keys.authority.reprove(tenant);
      return refuseRotation(deps, effect, trace, made.code);
    }
    const version = made.value;
    const command = { kind: 'CompleteRotation', from, operation, ...version } as const;
    await recordKey(deps, effect, command, trace, version.digest);
  });
