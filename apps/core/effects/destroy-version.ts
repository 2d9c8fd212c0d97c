import type { InUse } from '@kcm/custody';
import { type ExistingKey, isDestroyed, versionOf } from '@kcm/domain';
import { streamOf } from '@kcm/kernel';
import type { EffectDeps, RunEffect } from './context.js';
import { recordKey } from './record-key.js';
import { eventsOf, keyStateOf } from './states.js';

/**
 * Answers a requested destruction. A version from which anything still hangs is not destroyed, nor
 * one of which an Edge may hold something back, unless that was accepted: not even then while its
 * lease may run, for it may protect with it yet. What was never active has
 * protected nothing, unless that was after the backup of a ledger that was restored.
 */
export const destroyVersion: RunEffect<'destroyVersion'> = (deps, effect, trace) =>
  deps.turns.take(effect.tenant, async () => {
    const { tenant, key, version, operation, acceptUnreported } = effect;
    const state = await keyStateOf(deps, tenant, key);
    const known = state.status === 'absent' ? null : versionOf(state, version);
    if (state.status === 'absent' || known?.destruction !== operation) return;
    // What was recorded until now counts: no grant to protect with it is given any more.
    const head = await deps.ledger.head();
    if (head !== null) await deps.view.reached(head);
    const { inUse, unreported, live } = await useOf(deps, tenant, key, version, state);
    const refused = inUse > 0 || live > 0 || (unreported > 0 && !acceptUnreported);
    const of = { version, operation };
    if (refused) {
      const command = {
        kind: 'RefuseDestruction',
        ...of,
        code: 'key_in_use',
        inUse,
        ...(unreported > 0 && { unreported }),
      } as const;
      return recordKey(deps, effect, command, trace, 'refused');
    }
    await recordKey(deps, effect, { kind: 'CompleteDestruction', ...of }, trace, operation);
    deps.keys.memory.dropVersion({ tenant, key, version }, state.level);
  });

/** What hangs from the version: L3 versions from an L2, what Edges protected from an L3. */
async function useOf(
  deps: Pick<EffectDeps, 'keys' | 'view' | 'ledger' | 'catalog'>,
  tenant: string,
  key: string,
  version: number,
  { level }: Pick<ExistingKey, 'level'>,
): Promise<InUse> {
  if (level === 'L3') {
    const { inUse, unreported, live } = deps.keys.versionUse.of(tenant, key, version);
    const untold = (await isOfEarlierLedger(deps, tenant, key, version)) ? 1 : 0;
    return { inUse, unreported: unreported + untold, live };
  }
  let inUse = 0;
  for (const child of deps.view.keys(tenant).values()) {
    if (child.status === 'absent' || child.parent !== key) continue;
    inUse += child.versions.filter(
      (each) => !isDestroyed(each) && each.wrappedBy.version === String(version),
    ).length;
  }
  return { inUse, unreported: 0, live: 0 };
}

/**
 * Whether the version was made before the ledger was restored or moved: this one was not told what
 * Edges told the one before it after it was copied.
 */
async function isOfEarlierLedger(
  deps: Pick<EffectDeps, 'view' | 'ledger' | 'catalog'>,
  tenant: string,
  key: string,
  version: number,
): Promise<boolean> {
  const { term } = deps.view.access(tenant);
  for await (const { type, data, meta } of eventsOf(deps, streamOf('key', tenant, key)))
    if (type === 'KeyVersionWrapped' && data['version'] === version) return meta.term < term;
  return true;
}
