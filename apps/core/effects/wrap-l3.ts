import type { KeyIdentity, ProofRefusal } from '@kcm/custody';
import { keyRefusal, versionOf, type WrappedVersion } from '@kcm/domain';
import type { EffectDeps } from './context.js';
import { currentL2 } from './states.js';

export type WrappedL3 =
  { readonly ok: true; readonly parent: string; readonly version: WrappedVersion } | ProofRefusal;

/**
 * A new L3 version under the current L2, which a live proof has opened and which may protect; in
 * the vault and opened again from there when it resolves. @throws KcmError wrong_state · the vault's errors
 */
export async function wrapL3(
  deps: Pick<EffectDeps, 'keys' | 'ledger' | 'catalog'>,
  identity: KeyIdentity,
  service: string,
): Promise<WrappedL3> {
  const { authority, hierarchy } = deps.keys;
  const { identity: parent, key } = await currentL2(deps, identity.tenant);
  const code = keyRefusal(versionOf(key, parent.version)!, 'protect');
  if (code !== null) return { ok: false, effect: 'denied', code, callId: null };
  const held = await authority.l2(identity.tenant, parent.version);
  if (!held.ok) return held;
  const by = { id: parent.key, version: String(parent.version) };
  const { l3, version } = await hierarchy.createL3(identity, service, by, held.l2);
  l3.dispose();
  (await hierarchy.openL3(identity, service, version, held.l2)).dispose();
  return { ok: true, parent: parent.key, version };
}
