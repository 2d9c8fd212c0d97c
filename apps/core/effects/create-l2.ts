import { type KeyIdentity, l2KeyId, providerOf } from '@kcm/custody';
import type { WrappedVersion } from '@kcm/domain';
import { KcmError, streamOf } from '@kcm/kernel';
import type { EffectDeps, EffectTrace, RunEffect } from './context.js';
import { derived } from './derived-context.js';
import { assertOpen, connectedRootKey, keyStateOf } from './states.js';

/** The tenant's L2, once. Recorded only after it was opened again from what is in the vault. */
export const createL2: RunEffect<'createL2'> = (deps, { tenant, rootKeyId }, trace) =>
  deps.turns.take(tenant, async () => {
    const identity = { tenant, key: l2KeyId(tenant), version: 1 };
    if ((await keyStateOf(deps, tenant, identity.key)).status !== 'absent') return;
    await assertOpen(deps, tenant, null);
    const version = await wrapped(deps, identity, rootKeyId, trace);
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

async function wrapped(
  deps: EffectDeps,
  identity: KeyIdentity,
  rootKeyId: string,
  trace: EffectTrace,
): Promise<WrappedVersion> {
  const { hierarchy, calls, rootKeys } = deps.keys;
  const { tenant } = identity;
  const entry = await connectedRootKey(deps, tenant, rootKeyId);
  const rootKey = await rootKeys.get(tenant, entry);
  const at = { tenant, rootKeyId, provider: providerOf(entry) };
  const created = await hierarchy.createL2(identity, rootKeyId, (seed, binding) =>
    calls.call(at, 'wrap', 'create', trace, (call) => rootKey.wrap(seed, binding, call)),
  );
  if (!created.ok) throw new KcmError(created.code, created.detail);
  const { l2, version } = created.value;
  l2.dispose();
  const opened = await hierarchy.openL2(identity, version, (bytes, binding) =>
    calls.call(at, 'unwrap', 'create', trace, (call) => rootKey.unwrap(bytes, binding, call)),
  );
  if (!opened.ok) throw new KcmError(opened.code, opened.detail);
  opened.value.dispose();
  return version;
}
