import { streamOf } from '@kcm/kernel';
import type { EffectDeps, EffectOf, EffectTrace, RunEffect } from './context.js';
import { derived } from './derived-context.js';
import { Exposures, type Held } from './exposures.js';
import { recordOn } from './record-exposures.js';

/** Keys that are marked at a time. */
const AT_A_TIME = 16;

/**
 * Every version that an Edge held since it was taken over: compromised, with what may have been
 * exposed beside it on the key's stream. The Edge is refused since before: a grant that is recorded
 * after what is read here was never handed over.
 */
export const compromiseHeld: RunEffect<'compromiseHeld'> = async (deps, effect, trace) => {
  const { edge, since, until, operation } = effect;
  const exposures = await Exposures.read(deps, { since, until, holder: `edge:${edge}` });
  const byKey = Map.groupBy(exposures.held.values(), ({ tenant, key }) => `${tenant}/${key}`);
  const keys = [...byKey.values()];
  for (let at = 0; at < keys.length; at += AT_A_TIME) {
    const some = keys.slice(at, at + AT_A_TIME);
    await Promise.all(some.map((held) => mark(deps, effect, held, exposures, trace)));
  }
  const tenants = new Set([...exposures.held.values()].map(({ tenant }) => tenant)).size;
  const inAll = { tenants, keys: keys.length, versions: exposures.held.size };
  await deps.dispatch(
    {
      kind: 'edge',
      stream: streamOf('edge', deps.region, edge),
      command: { kind: 'RecordEdgeExposure', operation, ...inAll },
    },
    derived(trace, null, 'exposed', operation),
  );
};

async function mark(
  deps: EffectDeps,
  { edge, since, processing, operation: exposure }: EffectOf<'compromiseHeld'>,
  held: readonly Held[],
  exposures: Exposures,
  trace: EffectTrace,
): Promise<void> {
  const { tenant, key } = held[0]!;
  const by = `edge:${edge}`;
  const versions = held.map(({ version }) => version).toSorted((a, b) => a - b);
  await deps.dispatch(
    {
      kind: 'key',
      stream: streamOf('key', tenant, key),
      command: { kind: 'CompromiseVersions', versions, since, processing, by },
    },
    derived(trace, tenant, 'compromise', key, exposure),
  );
  const exposed = held.map(({ version, from, to }) => {
    const uses = exposures.uses({ tenant, key, version });
    return { version, from, to, uses };
  });
  await recordOn(deps, tenant, key, { by, exposure, versions: exposed }, trace);
}
