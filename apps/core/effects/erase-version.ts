import { versionOf, isDestroyed } from '@kcm/domain';
import { versionPath } from '@kcm/custody';
import type { RunEffect } from './context.js';
import { recordKey } from './record-key.js';
import { keyStateOf } from './states.js';

/** The wrapped material of a version that is destroyed: nothing opens it any more, so it goes. */
export const eraseVersion: RunEffect<'eraseVersion'> = (deps, effect, trace) =>
  deps.turns.take(effect.tenant, async () => {
    const { tenant, key, version } = effect;
    const state = await keyStateOf(deps, tenant, key);
    const known = state.status === 'absent' ? null : versionOf(state, version);
    if (state.status === 'absent' || known === null || !isDestroyed(known)) return;
    deps.keys.memory.dropVersion({ tenant, key, version }, state.level);
    const level = state.level === 'L2' ? 'l2' : 'l3';
    const blobs = await deps.vault.erase(versionPath(level, { tenant, key, version }));
    const command = { kind: 'RecordErased', version, blobs } as const;
    await recordKey(deps, effect, command, trace, `${version}`);
    deps.keys.versionUse.forget(tenant, key, version);
  });
