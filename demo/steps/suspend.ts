import type { Sample } from '../edge-client.js';
import { duration, type Printer } from '../print.js';
import { Traffic } from '../traffic.js';
import type { World } from '../world.js';
import type { Tenants } from './connect.js';

/** An admin's switch that another person turns back. */
export async function suspend(
  world: World,
  out: Printer,
  { acme }: Tenants,
  sample: Sample,
): Promise<void> {
  const path = '/v1/tenants/acme/revocations';
  const traffic = new Traffic(world.edge, sample);
  await traffic.untilOpens(5_000);
  out.command('kcm revocation create --tenant acme --kind suspend --reason incident   (anna)');
  const body = { kind: 'suspend', scope: { all: true }, reason: { code: 'incident' } };
  const start = performance.now();
  const [{ id }, { at, code }] = await Promise.all([
    acme.anna.must<{ id: string }>('POST', path, body),
    traffic.untilRefused(5_000),
  ]);
  const ms = out.measured('refusedMs', at - start);
  out.check(code === 'tenant_suspended', `Refused ${duration(ms)} after the request: ${code}.`);
  const own = await acme.anna.post(`${path}/${id}/release`);
  out.check(own.status === 403, `anna cannot lift it herself: ${own.refused?.code}.`);
  const released = performance.now();
  await acme.boris.must('POST', `${path}/${id}/release`);
  const opens = await traffic.untilOpens(30_000);
  await traffic.stop();
  const openedMs = out.measured('openedMs', opens - released);
  out.check(true, `boris can: it opens again after ${duration(openedMs)}, without loss.`);
}
