import { tekPath } from '@kcm/custody';
import { revocationDecider } from '@kcm/domain';
import { KcmError, rfc3339, streamOf } from '@kcm/kernel';
import type { EffectDeps, RunEffect } from './context.js';
import { derived } from './derived-context.js';
import { stateOf } from './states.js';

interface Plan {
  readonly erasureKeys: number;
  readonly blobs: number;
}

/**
 * Event, then memory, then the erasure key, then the blobs, then the confirmation. What there was
 * is written down before anything is erased, so that a restart in between still confirms true
 * counts.
 */
export const shred: RunEffect<'shred'> = (deps, { tenant, revocation }, trace) =>
  deps.turns.take(tenant, async () => {
    const stream = streamOf('revocation', tenant, revocation);
    if ((await stateOf(deps, revocationDecider, stream)).status !== 'shredding') return;
    deps.keys.dropTenant(tenant, null);
    deps.keys.rootKeys.dropTenant(tenant);
    const plan = await planned(deps, tenant, revocation);
    await deps.erasure.erase(tekPath(tenant));
    for (const prefix of material(tenant)) await deps.vault.erase(prefix);
    await assertGone(deps, tenant);
    const word = await deps.shredWord(tekPath(tenant));
    const confirmedAt = rfc3339(deps.clock.wallMs());
    const { position } = await deps.dispatch(
      {
        kind: 'revocation',
        stream,
        command: { kind: 'RecordShredded', ...plan, confirmedAt, word },
      },
      derived(trace, tenant, 'shredded'),
    );
    if (position !== null) await deps.view.reached(position);
    await deps.wrapped.erase(planPath(tenant, revocation));
  });

const material = (tenant: string): readonly string[] => [
  `l2/${tenant}`,
  `l3/${tenant}`,
  `cred/${tenant}`,
];
const planPath = (tenant: string, revocation: string): string =>
  `sys/shred/${tenant}/${revocation}`;

async function planned(deps: EffectDeps, tenant: string, revocation: string): Promise<Plan> {
  const path = planPath(tenant, revocation);
  const known = await deps.wrapped.get(path);
  if (known !== null) return JSON.parse(known.toString('utf8')) as Plan;
  const { erasureKeys, blobs } = await remaining(deps, tenant);
  const plan: Plan = { erasureKeys, blobs };
  await deps.wrapped.put(path, Buffer.from(JSON.stringify(plan), 'utf8'));
  return plan;
}

async function remaining(deps: EffectDeps, tenant: string): Promise<Plan> {
  const erasureKeys = (await deps.erasure.list(tekPath(tenant))).filter(
    (key) => key === tekPath(tenant),
  ).length;
  let blobs = 0;
  for (const prefix of material(tenant)) blobs += (await deps.vault.list(`${prefix}/`)).length;
  return { erasureKeys, blobs };
}

/** @throws KcmError internal: nothing is confirmed that is still there */
async function assertGone(deps: EffectDeps, tenant: string): Promise<void> {
  const left = await remaining(deps, tenant);
  if (left.erasureKeys + left.blobs > 0)
    throw new KcmError('internal', 'Material of the tenant is still in its stores.');
}
