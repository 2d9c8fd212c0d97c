import type { KeyIdentity } from '@kcm/custody';
import type { Secret } from '@kcm/crypto';
import { keyRefusal, versionOf } from '@kcm/domain';
import { KcmError } from '@kcm/kernel';
import type { EffectDeps, RunEffect } from './context.js';
import { recordKey } from './record-key.js';
import { assertOpen, currentL2, keyStateOf } from './states.js';

/**
 * One version of an L3, wrapped anew under the current version of the L2: in the vault and opened
 * again from there, then recorded. Until then it opens under the version that it hangs from. Of a
 * read-only tenant too: the key stays the one that it was and protects nothing more, and an earlier
 * version of the L2 must not have to stay for as long as such a lock stands.
 */
export const rewrapL3: RunEffect<'rewrapL3'> = (deps, effect, trace) =>
  deps.turns.take(effect.tenant, async () => {
    const { tenant, key, version } = effect;
    const state = await keyStateOf(deps, tenant, key);
    if (state.status === 'absent' || state.status === 'revoked' || state.service === null) return;
    const child = versionOf(state, version);
    if (child === null || keyRefusal(child, 'maintain') !== null) return;
    const { identity: parent, key: l2Key } = await currentL2(deps, tenant);
    if (Number(child.wrappedBy.version) >= parent.version) return;
    const { service } = state;
    await assertOpen(deps, tenant, service);
    const unfit = keyRefusal(versionOf(l2Key, parent.version)!, 'protect');
    if (unfit !== null) throw new KcmError(unfit, 'The tenant key protects nothing at present.');
    const { hierarchy } = deps.keys;
    const identity = { tenant, key, version };
    const old = await opened(deps, { ...parent, version: Number(child.wrappedBy.version) });
    using l3 = await hierarchy.openL3(identity, service, child, old);
    const by = { id: parent.key, version: String(parent.version) };
    const l2 = await opened(deps, parent);
    const wrapped = await hierarchy.wrapL3(identity, service, by, l2, l3);
    const anew = { ...wrapped, commitment: child.commitment };
    (await hierarchy.openL3(identity, service, anew, l2)).dispose();
    const command = { kind: 'RecordRewrap', version, ...wrapped } as const;
    await recordKey(deps, effect, command, trace, wrapped.digest);
  });

/** Lent: the lease authority owns it. @throws KcmError why it cannot be opened now */
async function opened(
  deps: Pick<EffectDeps, 'keys'>,
  { tenant, version }: KeyIdentity,
): Promise<Secret> {
  const held = await deps.keys.authority.l2(tenant, version);
  if (held.ok) return held.l2;
  throw new KcmError(held.code, 'The tenant key cannot be opened at present.');
}
