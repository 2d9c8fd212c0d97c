import type { KeyCommand } from '@kcm/domain';
import { type Code, KcmError, streamOf } from '@kcm/kernel';
import type { EffectDeps, EffectTrace, RunEffect } from './context.js';
import { derived } from './derived-context.js';
import { closedNow, keyStateOf } from './states.js';
import { wrapL3 } from './wrap-l3.js';

/**
 * The next version of an L3: in the vault first, then recorded. Holders go on with what they have;
 * old versions stay for decryption.
 */
export const rotateL3: RunEffect<'rotateL3'> = (deps, { tenant, key, operation }, trace) =>
  deps.turns.take(tenant, async () => {
    const state = await keyStateOf(deps, tenant, key);
    if (state.status !== 'rotating' || state.operation !== operation) return;
    const { current: from, service } = state;
    if (service === null) return refuse(deps, tenant, key, operation, trace, 'wrong_state');
    const closed = await closedNow(deps, tenant, service);
    if (closed !== null) return refuse(deps, tenant, key, operation, trace, closed);
    const made = await wrapL3(deps, { tenant, key, version: from + 1 }, service);
    if (!made.ok) {
      if (made.effect === 'denied') return refuse(deps, tenant, key, operation, trace, made.code);
      throw new KcmError(made.code, 'The tenant key cannot be opened at present.');
    }
    const { digest } = made.version;
    await act(
      deps,
      tenant,
      key,
      { kind: 'CompleteRotation', from, operation, ...made.version },
      trace,
      digest,
    );
  });

const refuse = (
  deps: EffectDeps,
  tenant: string,
  key: string,
  operation: string,
  trace: EffectTrace,
  code: Code,
): Promise<void> =>
  act(deps, tenant, key, { kind: 'RefuseRotation', operation, code }, trace, code);

async function act(
  deps: EffectDeps,
  tenant: string,
  key: string,
  command: KeyCommand,
  trace: EffectTrace,
  of: string,
): Promise<void> {
  const { position } = await deps.dispatch(
    { kind: 'key', stream: streamOf('key', tenant, key), command },
    derived(trace, tenant, command.kind, of),
  );
  if (position !== null) await deps.view.reached(position);
}
