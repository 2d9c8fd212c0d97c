import { copyFileSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { backup, DatabaseSync } from 'node:sqlite';
import { setTimeout as sleep } from 'node:timers/promises';
import type { EdgeClient, Sample } from '../edge-client.js';
import { duration, type Printer } from '../print.js';
import type { RegionServer } from '../region-server.js';
import { SERVICE, type World } from '../world.js';
import type { Tenants } from './connect.js';

/** What a backup holds: all but the erasure store. Read models follow from the ledger. */
const BACKED_UP = ['ledger.db', 'vault.db', 'directory.db'];
const ERASURE = 'erasure.db';
interface TenantView {
  readonly access: { readonly open: boolean };
}
interface Rebuilt {
  readonly before: { readonly documents: number };
  readonly equal: boolean;
}

/**
 * Last night's backup, taken from the running server while acme's keys were whole. The erasure store
 * is taken along only to show at the end what leaving it out is good for.
 */
export async function backUp(world: World): Promise<void> {
  mkdirSync(world.path('backup'), { mode: 0o700 });
  for (const name of [...BACKED_UP, ERASURE]) await copyOf(world, name, world.path('backup', name));
}

async function copyOf(world: World, name: string, to: string): Promise<void> {
  const database = new DatabaseSync(world.path('region', name), { readOnly: true });
  try {
    await backup(database, to);
  } finally {
    database.close();
  }
}

/** Everything an insider with old copies and a willing customer KMS can try. */
export async function attack(
  world: World,
  out: Printer,
  { acme }: Tenants,
  shares: readonly string[],
  records: { readonly acme: Sample; readonly globex: Sample },
): Promise<void> {
  out.say(`The customer's key at its KMS is enabled all the while (${acme.kms.words.giveBack}).`);
  await acme.kms.giveBack();

  const start = performance.now();
  await world.server.stop();
  await world.server.start();
  await world.server.unseal(shares);
  const ms = out.measured('restartMs', performance.now() - start);
  while (!(await world.edge.reachesCore())) await sleep(20);
  await globexServed(world.edge, records.globex);
  const restarted = await world.edge.opens(records.acme);
  out.check(
    restarted === 'tenant_killed',
    `The server is stopped, started and unsealed (${duration(ms)}): globex opens, acme is refused: ` +
      `${restarted}.`,
  );

  out.command('kcm projection rebuild …');
  const replayed = performance.now();
  const operator = world.server.operator();
  const models = await operator.must<{ items: { name: string }[] }>('GET', '/v1/sys/projections');
  const unequal: string[] = [];
  for (const { name } of models.items) {
    const rebuilt = await operator.must<Rebuilt>('POST', `/v1/sys/projections/${name}/rebuild`);
    if (!rebuilt.equal) unequal.push(name);
  }
  const replayMs = out.measured('replayMs', performance.now() - replayed);
  out.check(
    unequal.length === 0 && models.items.length > 0,
    `${models.items.length} read models replayed from the first event in ${duration(replayMs)}: ` +
      `each equals the live one by digest${unequal.length > 0 ? ` but ${unequal.join(', ')}` : ''}.`,
  );
  const afterReplay = await world.edge.opens(records.acme);
  out.check(afterReplay === 'tenant_killed', `After the replay acme is refused: ${afterReplay}.`);
  if (world.apart === null) await restoreYesterday(world, out, shares, records);
}

/** Ledger and vault of yesterday on a fresh machine, beside today's erasure store; the control last. */
async function restoreYesterday(
  world: World,
  out: Printer,
  shares: readonly string[],
  records: { readonly acme: Sample; readonly globex: Sample },
): Promise<void> {
  const today = world.path('erasure-today.db');
  await copyOf(world, ERASURE, today);
  const fresh = await restored(world, shares, 'restored', today);
  const { access } = await fresh.operator().must<TenantView>('GET', '/v1/tenants/acme');
  const edge = fresh.edge(SERVICE);
  await globexServed(edge, records.globex);
  out.check(
    access.open,
    "Yesterday's copy of ledger and vault, today's erasure store, on a fresh machine: it runs, " +
      'knows of no kill, and globex opens from it.',
  );
  const outcome = await edge.opens(records.acme);
  out.check(outcome !== true, `acme does not open from it: ${outcome}. Nothing is back.`);
  edge.close();
  await fresh.stop();

  const image = await restored(world, shares, 'image', world.path('backup', ERASURE));
  const whole = image.edge(SERVICE);
  await globexServed(whole, records.globex);
  out.check(
    (await whole.opens(records.acme)) === true,
    "The control: with yesterday's erasure store too, an image of the whole disk, it opens. That " +
      'store is what a backup must leave out, and why the receipt says what it says below.',
  );
  whole.close();
  await image.stop();
}

/** A server on a folder that holds yesterday's files and the given erasure store. */
async function restored(
  world: World,
  shares: readonly string[],
  name: string,
  erasure: string,
): Promise<RegionServer> {
  const server = world.region('local', name, SERVICE);
  const { folder } = server.options;
  mkdirSync(folder, { mode: 0o700 });
  for (const file of BACKED_UP) copyFileSync(world.path('backup', file), join(folder, file));
  copyFileSync(erasure, join(folder, ERASURE));
  await server.start();
  await server.unseal(shares);
  return server;
}

/** @throws Error when the control does not open: then a refusal would prove nothing */
async function globexServed(edge: EdgeClient, sample: Sample): Promise<void> {
  let outcome: true | string = '';
  for (const end = performance.now() + 30_000; performance.now() < end;) {
    outcome = await edge.opens(sample).catch((error: unknown) => String(error));
    if (outcome === true) return;
    await sleep(100);
  }
  throw new Error(`the other tenant does not open (${outcome}): the attack proves nothing`);
}
