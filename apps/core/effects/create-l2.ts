import { l2KeyId } from '@kcm/custody';
import { KcmError, streamOf } from '@kcm/kernel';
import type { RunEffect } from './context.js';
import { derived } from './derived-context.js';
import { assertMaking, connectedRootKey, keyStateOf } from './states.js';
import { wrapL2 } from './wrap-l2.js';

/** The tenant's L2, once. */
export const createL2: RunEffect<'createL2'> = (deps, { tenant, rootKeyId }, trace) =>
  deps.turns.take(tenant, async () => {
    const identity = { tenant, key: l2KeyId(tenant), version: 1 };
    if ((await keyStateOf(deps, tenant, identity.key)).status !== 'absent') return;
    await assertMaking(deps, tenant, null);
    const rootKey = await connectedRootKey(deps, tenant, rootKeyId);
    const made = await wrapL2(deps, identity, rootKey, 'create', trace);
    if (!made.ok) throw new KcmError(made.code, made.detail);
    const version = made.value;
    const { position } = await deps.dispatch(
      {
        kind: 'key',
        stream: streamOf('key', tenant, identity.key),
        command: { kind: 'CreateKey', level: 'L2', service: null, parent: rootKeyId, ...version },
      },
      derived(trace, tenant, 'create', version.digest),
    );
    if (position !== null) await deps.view.reached(position);
    deps.keys.authority.watch(tenant);
  });
