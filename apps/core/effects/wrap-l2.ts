import { type Called, type CallPurpose, callTarget, type KeyIdentity } from '@kcm/custody';
import type { WrappedVersion } from '@kcm/domain';
import type { EffectDeps, EffectTrace } from './context.js';
import type { Connected } from './states.js';

/**
 * A new L2 version from a fresh seed under the customer's root key; in the vault and opened again
 * from there when it resolves. What the keystore refused is the answer.
 * @throws KcmError sealed · the stores' errors
 */
export async function wrapL2(
  deps: Pick<EffectDeps, 'keys'>,
  identity: KeyIdentity,
  entry: Connected,
  purpose: CallPurpose,
  trace: EffectTrace,
): Promise<Called<WrappedVersion>> {
  const { hierarchy, calls, rootKeys } = deps.keys;
  const { tenant } = identity;
  const { rootKeyId } = entry;
  const rootKey = await rootKeys.get(tenant, entry);
  const at = callTarget(tenant, entry);
  const created = await hierarchy.createL2(identity, rootKeyId, (seed, binding) =>
    calls.call(at, 'wrap', purpose, trace, (call) => rootKey.wrap(seed, binding, call)),
  );
  if (!created.ok) return created;
  const { l2, version } = created.value;
  l2.dispose();
  const opened = await hierarchy.openL2(identity, version, (bytes, binding) =>
    calls.call(at, 'unwrap', purpose, trace, (call) => rootKey.unwrap(bytes, binding, call)),
  );
  if (!opened.ok) return opened;
  opened.value.dispose();
  return { ...opened, value: version };
}
