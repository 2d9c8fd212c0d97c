import { lp, sha256Hex } from '@kcm/crypto';
import type { RootKeyEntry } from '@kcm/domain';
import { type Code, KcmError, type Step, streamOf } from '@kcm/kernel';
import type { EffectDeps, EffectTrace, RunEffect } from './context.js';
import { derived } from './derived-context.js';
import { probe, type Probed } from './round-trip.js';
import { closedNow, rootKeyOf } from './states.js';

/**
 * Proves control of a customer's root key before anything hangs from it. The claim comes after the
 * round trip: else a tenant could occupy a key that it can merely name.
 */
export const connectRootKey: RunEffect<'connectRootKey'> = async (deps, effect, trace) => {
  const { tenant, rootKeyId } = effect;
  const entry = await rootKeyOf(deps, tenant, rootKeyId);
  if (entry?.status !== 'requested') return;
  const closed = await closedNow(deps, tenant, null);
  if (closed !== null) return refuse(deps, tenant, entry, trace, closed, 'policy', null);
  const proved = await probe(deps, tenant, entry, 'connect', trace);
  if (!proved.ok)
    return refuse(deps, tenant, entry, trace, proved.code, proved.step, proved.callId);
  // A shred that came meanwhile is over or has not begun: what is refused by it is not connected.
  await deps.turns.take(tenant, async () => {
    const meanwhile = await closedNow(deps, tenant, null);
    if (meanwhile !== null)
      return refuse(deps, tenant, entry, trace, meanwhile, 'policy', proved.callId);
    return confirm(deps, tenant, entry, trace, proved);
  });
};

async function confirm(
  deps: EffectDeps,
  tenant: string,
  entry: RootKeyEntry,
  trace: EffectTrace,
  proved: Extract<Probed, { ok: true }>,
): Promise<void> {
  const { callId, providerRequestId, resolved } = proved;
  if (!(await claim(deps, tenant, entry, trace, proved)))
    return refuse(deps, tenant, entry, trace, 'root_key_in_use', 'policy', callId);
  const { rootKeyId } = entry;
  await deps.dispatch(
    {
      kind: 'rootkeys',
      stream: streamOf('rootkeys', tenant),
      command: { kind: 'ConfirmConnection', rootKeyId, ...resolved, callId, providerRequestId },
    },
    derived(trace, tenant, 'confirm', callId),
  );
}

/** False when another tenant has the key. */
async function claim(
  deps: EffectDeps,
  tenant: string,
  { keystore, rootKeyId }: RootKeyEntry,
  trace: EffectTrace,
  proved: Extract<Probed, { ok: true }>,
): Promise<boolean> {
  const key = sha256Hex(lp(keystore, proved.resolved.resolved));
  try {
    await deps.dispatch(
      {
        kind: 'claim',
        stream: streamOf('claim', key),
        command: { kind: 'ClaimRootKey', tenant, rootKeyId },
      },
      derived(trace, tenant, 'claim', key),
    );
    return true;
  } catch (error) {
    if (error instanceof KcmError && error.code === 'root_key_in_use') return false;
    throw error;
  }
}

async function refuse(
  deps: EffectDeps,
  tenant: string,
  { rootKeyId, operation }: RootKeyEntry,
  trace: EffectTrace,
  code: Code,
  step: Step,
  callId: string | null,
): Promise<void> {
  deps.keys.rootKeys.dropTenant(tenant);
  await deps.dispatch(
    {
      kind: 'rootkeys',
      stream: streamOf('rootkeys', tenant),
      command: { kind: 'RefuseConnection', rootKeyId, step, code, callId },
    },
    derived(trace, tenant, 'refuse', operation, callId ?? code),
  );
}
