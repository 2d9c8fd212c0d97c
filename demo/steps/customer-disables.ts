import { setTimeout as sleep } from 'node:timers/promises';
import type { Sample } from '../edge-client.js';
import { count, duration, type Printer } from '../print.js';
import { Traffic } from '../traffic.js';
import { BOUND_MS, type World } from '../world.js';
import type { Tenants } from './connect.js';
import { receiptOf } from './receipts.js';

const OPENS_MS_MAX = 75_000;
interface TenantView {
  readonly access: { readonly locks: readonly { readonly kind: string }[] };
}
interface Revocation {
  readonly id: string;
  readonly kind: string;
  readonly stage: string;
}

/** The customer's own switch, at its own KMS. Nobody tells us. */
export async function customerDisables(
  world: World,
  out: Printer,
  tenants: Tenants,
  sample: Sample,
): Promise<void> {
  const { kms } = tenants.acme;
  const neighbour = await world.edge.sample('globex', Buffer.from('the other customer'));
  const acme = new Traffic(world.edge, sample);
  const globex = new Traffic(world.edge, neighbour);
  await sleep(300);

  out.say('acme at its own KMS, with no call to us:');
  out.command(kms.words.takeAway);
  const denied = await refusedAfter(out, 'deniedMs', acme, () => kms.takeAway());
  out.check(
    denied.code === kms.code,
    `acme is refused after ${denied.said} (promised: at most ${duration(BOUND_MS)}): ${denied.code}.`,
  );
  const { access } = await tenants.acme.anna.must<TenantView>('GET', '/v1/tenants/acme');
  out.check(
    access.locks.map(({ kind }) => kind).join() === 'providerDenied',
    'acme is locked by its own KMS alone: providerDenied, opened by nobody here.',
  );
  out.check(
    globex.refused === 0 && globex.opened > 0,
    `globex went on: ${count(globex.opened)} calls, 0 refused.`,
  );
  out.command(kms.words.giveBack);
  await opensAgain(out, 'openedMs', acme, () => kms.giveBack());
  await showReceipt(world, out, tenants);
  await globex.stop();

  out.say('Again, with the wire between Edge and Core cut in the same moment:');
  out.command(kms.words.takeAway);
  const alone = await refusedAfter(out, 'deniedWhileCutMs', acme, async () => {
    world.wire.cut();
    await kms.takeAway();
  });
  out.check(
    alone.code === 'lease_expired',
    `${world.apart === null ? 'The Edge refuses by itself' : 'The Edge, which Kafka tells, refuses'} ` +
      `after ${alone.said} (promised: at most ${duration(BOUND_MS)}): ${alone.code}.`,
  );
  world.wire.heal();
  out.command(kms.words.giveBack);
  await opensAgain(out, 'openedAfterCutMs', acme, () => kms.giveBack());
  await acme.stop();
  out.check((await world.edge.opens(sample)) === true, 'The record from before it all opens.');
}

/** Takes the key away and measures; the traffic must not be answered again within a second. */
async function refusedAfter(
  out: Printer,
  name: string,
  traffic: Traffic,
  act: () => Promise<void>,
): Promise<{ readonly code: string; readonly said: string }> {
  const start = performance.now();
  await act();
  const acted = performance.now();
  const { at, code } = await traffic.untilRefused(2 * BOUND_MS);
  await sleep(1_000);
  const last = traffic.lastOpenedAt - acted;
  out.measured(name, at - start);
  out.check(
    last <= BOUND_MS && traffic.refusedAt === at,
    `Nothing is answered later than ${duration(Math.max(last, 0))} after the customer's act.`,
  );
  return { code: traffic.code ?? code, said: duration(at - start) };
}

async function opensAgain(
  out: Printer,
  name: string,
  traffic: Traffic,
  act: () => Promise<void>,
): Promise<void> {
  const start = performance.now();
  await act();
  const at = await traffic.untilOpens(OPENS_MS_MAX);
  const ms = out.measured(name, at - start);
  out.check(true, `It opens again after ${duration(ms)}: nothing lost, no admin of ours involved.`);
}

async function showReceipt(world: World, out: Printer, { acme }: Tenants): Promise<void> {
  const list = await acme.auditor.list<Revocation>('/v1/tenants/acme/revocations');
  const mine = list.find(({ kind }) => kind === 'provider-denied');
  out.check(
    mine?.stage === 'released',
    'What happened stands as a revocation, released by itself.',
  );
  const { jws, receipt } = await receiptOf(acme.auditor, 'acme', mine.id, 'provider-denied');
  world.save('receipt-provider-denied.jws', `${jws}\n`);
  const callId = receipt.probe?.callId ?? null;
  out.check(
    callId !== null && acme.kms.calls().some((call) => call.callId === callId),
    `Its receipt names our refused call ${callId}, which the customer finds in its own log.`,
  );
}
