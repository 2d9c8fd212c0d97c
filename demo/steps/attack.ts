import { copyFileSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { backup, DatabaseSync } from 'node:sqlite';
import type { EdgeClient, Sample } from '../edge-client.js';
import { duration, type Printer } from '../print.js';
import { SERVICE, type World } from '../world.js';
import type { Tenants } from './connect.js';

/** What a backup holds: all but the erasure store. Read models follow from the ledger. */
const BACKED_UP = ['ledger.db', 'vault.db', 'directory.db'];
interface Rebuilt {
  readonly before: { readonly documents: number };
  readonly equal: boolean;
}

/** Last night's backup, taken from the running server while acme's keys were whole. */
export async function backUp(world: World): Promise<void> {
  mkdirSync(world.path('backup'), { mode: 0o700 });
  for (const name of BACKED_UP) await copyOf(world, name, world.path('backup', name));
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
  await globexServed(world.edge, records.globex);
  const restarted = await world.edge.opens(records.acme);
  out.check(
    restarted !== true,
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
  out.check(afterReplay !== true, `After the replay acme is refused: ${afterReplay}.`);
  await restoreYesterday(world, out, shares, records);
}

/** Ledger and vault of yesterday beside the erasure store of today, on a fresh machine. */
async function restoreYesterday(
  world: World,
  out: Printer,
  shares: readonly string[],
  records: { readonly acme: Sample; readonly globex: Sample },
): Promise<void> {
  const restored = world.region('local', 'restored', SERVICE);
  const { folder } = restored.options;
  mkdirSync(folder, { mode: 0o700 });
  for (const name of BACKED_UP) copyFileSync(world.path('backup', name), join(folder, name));
  await copyOf(world, 'erasure.db', join(folder, 'erasure.db'));
  await restored.start();
  await restored.unseal(shares);
  const edge = restored.edge(SERVICE);
  await globexServed(edge, records.globex);
  out.check(
    true,
    "Yesterday's copy of ledger and vault, today's erasure store, on a fresh machine: it runs, " +
      'knows of no kill, and globex opens from it.',
  );
  const outcome = await edge.opens(records.acme);
  out.check(outcome !== true, `acme does not open from it: ${outcome}. Nothing is back.`);
  edge.close();
  await restored.stop();
}

/** @throws Error when the control does not open: then a refusal would prove nothing */
async function globexServed(edge: EdgeClient, sample: Sample): Promise<void> {
  let outcome: true | string = '';
  for (const end = performance.now() + 30_000; performance.now() < end;) {
    outcome = await edge.opens(sample).catch((error: unknown) => String(error));
    if (outcome === true) return;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error(`the other tenant does not open (${outcome}): the attack proves nothing`);
}
