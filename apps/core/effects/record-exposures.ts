import { type Exposure, isDestroyed, type Recorded } from '@kcm/domain';
import { LIMITS, streamOf } from '@kcm/kernel';
import type { EffectDeps, EffectTrace, RunEffect } from './context.js';
import { derived } from './derived-context.js';
import { Exposures } from './exposures.js';
import { eventsOf, keyStateOf } from './states.js';

/**
 * What may have been exposed of versions whose compromise somebody said: of an L3, by what its
 * holders told; of the L2, itself and every version of an L3 that ever hung from those versions.
 */
export const recordExposures: RunEffect<'recordExposures'> = async (deps, effect, trace) => {
  const { tenant, key, versions, since, until, exposure } = effect;
  const state = await keyStateOf(deps, tenant, key);
  if (state.status === 'absent') return;
  const exposures = await Exposures.read(deps, { since, until, holder: null });
  const said = { by: `key:${key}`, exposure };
  const exposed = (of: string, version: number) => {
    const uses = exposures.uses({ tenant, key: of, version });
    return {
      version,
      from: since,
      to: until,
      uses: state.level === 'L2' && of === key ? null : uses,
    };
  };
  if (state.level === 'L2')
    for (const [child, known] of await versionsUnder(deps, tenant, key, versions)) {
      const under = known.map((version) => exposed(child, version));
      await recordOn(deps, tenant, child, { ...said, versions: under }, trace);
    }
  const own = versions.map((version) => exposed(key, version));
  await recordOn(deps, tenant, key, { ...said, versions: own }, trace);
};

/** On the key's stream; resolves when all of it is there. */
export async function recordOn(
  deps: Pick<EffectDeps, 'dispatch'>,
  tenant: string,
  key: string,
  { versions, ...said }: Exposure,
  trace: EffectTrace,
): Promise<void> {
  for (let at = 0; at < versions.length; at += LIMITS.exposedInOneEventMax) {
    const some = versions.slice(at, at + LIMITS.exposedInOneEventMax);
    await deps.dispatch(
      {
        kind: 'key',
        stream: streamOf('key', tenant, key),
        command: { kind: 'RecordExposure', ...said, versions: some },
      },
      derived(trace, tenant, 'exposure', key, said.exposure, String(at)),
    );
  }
}

/** By key: versions of L3 that ever hung from one of these versions of the L2. */
async function versionsUnder(
  deps: EffectDeps,
  tenant: string,
  l2: string,
  parents: readonly number[],
): Promise<ReadonlyMap<string, readonly number[]>> {
  const found = new Map<string, readonly number[]>();
  for (const [key, state] of deps.view.keys(tenant)) {
    if (state.status === 'absent' || state.parent !== l2) continue;
    const under = new Set<number>();
    for await (const event of eventsOf(
      deps,
      streamOf('key', tenant, key),
    ) as AsyncIterable<Recorded>)
      if (event.type === 'KeyVersionWrapped' || event.type === 'KeyVersionRewrapped')
        if (parents.includes(Number(event.data.wrappedBy.version))) under.add(event.data.version);
    const left = state.versions.filter((each) => under.has(each.version) && !isDestroyed(each));
    if (left.length > 0)
      found.set(
        key,
        left.map(({ version }) => version),
      );
  }
  return found;
}
