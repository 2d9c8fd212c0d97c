import type { Sample } from '../edge-client.js';
import { duration, type Printer } from '../print.js';
import { Traffic } from '../traffic.js';
import type { World } from '../world.js';
import type { Tenants } from './connect.js';

interface Revocation {
  readonly id: string;
  readonly stage: string;
}

/** One person locks, another shreds; nobody alone can do both or undo it. @returns the revocation */
export async function kill(
  world: World,
  out: Printer,
  { acme }: Tenants,
  sample: Sample,
): Promise<string> {
  const path = '/v1/tenants/acme/revocations';
  const traffic = new Traffic(world.edge, sample);
  await traffic.untilOpens(5_000);
  out.command('kcm revocation create --tenant acme --kind kill --reason offboarding   (anna)');
  const body = { kind: 'kill', scope: { all: true }, reason: { code: 'offboarding' } };
  const start = performance.now();
  const [{ id }, { at, code }] = await Promise.all([
    acme.anna.must<Revocation>('POST', path, body),
    traffic.untilRefused(5_000),
  ]);
  const ms = out.measured('refusedMs', at - start);
  out.check(
    code === 'tenant_killed',
    `Its holders refuse ${duration(ms)} after the request: ${code}.`,
  );

  const own = await acme.anna.post(`${path}/${id}/shred`);
  out.check(own.status === 403, `anna, who locked, cannot shred: 403 ${own.refused?.code}.`);
  const operator = world.server.operator();
  const byOperator = await operator.post(`${path}/${id}/release`);
  out.check(
    byOperator.status === 403 && byOperator.refused?.code === 'forbidden',
    `The platform's operator cannot release it: 403 ${byOperator.refused?.code}.`,
  );
  const alone = await acme.boris.post(`${path}/${id}/release`);
  out.check(
    alone.refused?.code === 'approval_required',
    `Nor can one admin of acme alone: 403 ${alone.refused?.code}.`,
  );
  out.command(`kcm revocation shred ${id} --tenant acme   (boris)`);
  const shredStart = performance.now();
  await acme.boris.must('POST', `${path}/${id}/shred`);
  const shredded = await shreddedBy(acme.boris, `${path}/${id}`);
  const shredMs = out.measured('shredMs', performance.now() - shredStart);
  await traffic.stop();
  out.check(
    shredded,
    `boris, a second person, shreds: done and confirmed in ${duration(shredMs)}.`,
  );
  out.check(
    traffic.refusedAt === at,
    'Not one record of acme opened since the lock was first felt.',
  );
  return id;
}

async function shreddedBy(boris: Tenants['acme']['boris'], path: string): Promise<boolean> {
  for (const end = performance.now() + 15_000; performance.now() < end;) {
    const { stage } = await boris.must<Revocation>('GET', path);
    if (stage === 'shredded') return true;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  return false;
}
