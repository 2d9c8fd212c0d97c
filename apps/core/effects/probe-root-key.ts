import { isConnected, rootkeysDecider } from '@kcm/domain';
import { streamOf } from '@kcm/kernel';
import type { RunEffect } from './context.js';
import { derived } from './derived-context.js';
import { probe } from './round-trip.js';
import { stateOf } from './states.js';

/**
 * The probe that an admin asked for. It is no proof by itself: where it goes otherwise than the
 * tenant's access stands, an unwrap of the tenant's own key decides.
 */
export const probeRootKey: RunEffect<'probeRootKey'> = async (deps, effect, trace) => {
  const { tenant, rootKeyId, operation } = effect;
  const stream = streamOf('rootkeys', tenant);
  const state = await stateOf(deps, rootkeysDecider, stream);
  const entry = state.status === 'some' ? state.keys.get(rootKeyId) : undefined;
  if (state.status === 'none' || !state.probes.has(operation)) return;
  if (entry === undefined || !isConnected(entry)) return;
  const probed = await probe(deps, tenant, entry, 'probe', trace);
  const { callId, providerRequestId } = probed;
  const record = async (
    command: Parameters<typeof deps.dispatch>[0] & { readonly kind: 'rootkeys' },
    of: string,
  ) => {
    const { position } = await deps.dispatch(command, derived(trace, tenant, of, callId ?? ''));
    if (position !== null) await deps.view.reached(position);
  };
  const { authority } = deps.keys;
  if (!probed.ok || entry.status !== 'enabled' || !authority.live(tenant))
    await authority.reprove(tenant);
  await record(
    {
      kind: 'rootkeys',
      stream,
      command: {
        kind: 'RecordProbe',
        rootKeyId,
        operation,
        outcome: probed.ok ? 'ok' : 'refused',
        code: probed.ok ? null : probed.code,
        step: probed.ok ? null : probed.step,
        callId,
        providerRequestId,
      },
    },
    'probe',
  );
  if (!probed.ok || probed.resolved.keyVersion === entry.keyVersion) return;
  const { keyVersion } = probed.resolved;
  await record(
    {
      kind: 'rootkeys',
      stream,
      command: { kind: 'RecordKeyVersion', rootKeyId, keyVersion },
    },
    'version',
  );
};
