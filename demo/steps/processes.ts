import { setTimeout as sleep } from 'node:timers/promises';
import type { Sample } from '../edge-client.js';
import { duration, type Printer } from '../print.js';
import { APPS, type App, type RegionApart } from '../region-apart.js';
import { Traffic } from '../traffic.js';
import type { World } from '../world.js';
import type { Tenants } from './connect.js';

const WHAT_GOES_ON: { readonly [app in App]: string } = {
  cmk: 'the Edge never noticed',
  core: 'leases bridged it; two people unsealed it again',
  projector: 'commands and the Edge never noticed, the read models caught up',
};
interface Listed {
  readonly items: readonly { readonly id: string }[];
}

/** Each process is killed once, in the middle of its work, and started again. */
export async function killEach(
  world: World,
  region: RegionApart,
  out: Printer,
  { acme }: Tenants,
  shares: readonly string[],
  record: Sample,
): Promise<void> {
  for (const app of APPS) {
    const before = `before-${app}`;
    await region.operator().must('POST', '/v1/tenants', { id: before, name: before });
    const traffic = new Traffic(world.edge, record);
    const start = performance.now();
    await region.kill(app);
    await region.startOne(app);
    if (app === 'core') await region.unseal(shares);
    await known(region, before);
    const ms = out.measured(`${app}AwayMs`, performance.now() - start);
    while (!(await world.edge.reachesCore())) await sleep(20);
    await traffic.stop();
    out.check(
      traffic.refused === 0 && traffic.opened > 0,
      `kill -9 ${app}, started again in ${duration(ms)}: what it had acknowledged is there, and ` +
        `${traffic.opened} records opened meanwhile, 0 refused (${WHAT_GOES_ON[app]}).`,
    );
  }
  const start = performance.now();
  await world.restartEdge();
  const opened = await world.edge.opens(record);
  out.check(
    opened === true,
    `kill -9 of the Edge, started again: ${acme.id} opens after ` +
      `${duration(out.measured('edgeAwayMs', performance.now() - start))}, under a lease of its own.`,
  );
}

/** Asked until the read model has it. */
async function known(region: RegionApart, id: string): Promise<void> {
  for (const end = performance.now() + 20_000; performance.now() < end; await sleep(50)) {
    const { refused, body } = await region.operator().get<Listed>('/v1/tenants?limit=200');
    if (refused === null && body.items.some((tenant) => tenant.id === id)) return;
  }
  throw new Error(`tenant ${id} was acknowledged and is not there`);
}
