import { l3KeyId } from '@kcm/custody';
import { KcmError, streamOf } from '@kcm/kernel';
import type { RunEffect } from './context.js';
import { derived } from './derived-context.js';
import { assertMaking, keyStateOf } from './states.js';
import { wrapL3 } from './wrap-l3.js';

/** A service's L3, once. */
export const createL3: RunEffect<'createL3'> = (deps, { tenant, service }, trace) =>
  deps.turns.take(tenant, async () => {
    const identity = { tenant, key: l3KeyId(tenant, service), version: 1 };
    if ((await keyStateOf(deps, tenant, identity.key)).status !== 'absent') return;
    await assertMaking(deps, tenant, service);
    const made = await wrapL3(deps, identity, service);
    if (!made.ok) throw new KcmError(made.code, 'The tenant key cannot be opened at present.');
    const { parent, version } = made;
    const { position } = await deps.dispatch(
      {
        kind: 'key',
        stream: streamOf('key', tenant, identity.key),
        command: { kind: 'CreateKey', level: 'L3', service, parent, ...version },
      },
      derived(trace, tenant, 'create', version.digest),
    );
    if (position !== null) await deps.view.reached(position);
  });
