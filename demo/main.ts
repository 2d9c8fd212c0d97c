import { readdirSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { NotHeld, Printer, duration } from './print.js';
import { attack, backUp } from './steps/attack.js';
import { connect } from './steps/connect.js';
import { customerDisables } from './steps/customer-disables.js';
import { kill } from './steps/kill.js';
import { receipt } from './steps/receipt.js';
import { rotate } from './steps/rotate.js';
import { seal } from './steps/seal.js';
import { suspend } from './steps/suspend.js';
import { use } from './steps/use.js';
import { killEach } from './steps/processes.js';
import { type EnginesName, type KeystoreName, World } from './world.js';

/** The main job, end to end, through the public doors only. */
async function play(world: World, out: Printer): Promise<void> {
  out.begin('seal', 'Seal: the region opens for two of three people');
  const shares = await seal(world, out);

  out.begin('connect', 'Connect: two customers, each with a root key in its own KMS');
  const tenants = await connect(world, out);

  out.begin('use', 'Use: encrypt and decrypt at the Edge');
  const record = await use(world, out, tenants);

  out.begin('rotate', 'Rotate: new versions of both keys under load');
  await rotate(world, out, tenants, record);

  if (world.apart !== null) {
    out.begin('processes', 'Kill -9: each process once, in the middle of its work');
    await killEach(world, world.apart, out, tenants, shares, record);
  }

  out.begin('customerDisables', 'The customer takes its key away, at its own KMS');
  await customerDisables(world, out, tenants, record);

  out.begin('suspend', 'Suspend: an incident, and back');
  await suspend(world, out, tenants, record);

  out.begin('kill', 'Kill: lock by one person, shred by another');
  const globex = await world.edge.sample('globex', Buffer.from('a record of the other customer'));
  if (world.apart === null) {
    await backUp(world);
    out.say(
      "Last night's backup of ledger and vault is taken first; it will be played back below.",
    );
  }
  const revocation = await kill(world, out, tenants, record);

  out.begin('attack', 'Attack: restart, replay, and yesterday’s backup');
  await attack(world, out, tenants, shares, { acme: record, globex });

  out.begin('receipt', 'Receipt: what the customer keeps, verified without us');
  await receipt(world, out, tenants, revocation);
}

function closing(world: World, out: Printer, ms: number): void {
  const names = readdirSync(world.publish()).join(', ');
  out.line(`\nEvery step held, in ${duration(ms)}. In demo-output/: ${names}`);
  out.line('\nNot proven here:');
  for (const text of [
    world.keystore === 'software'
      ? 'a keystore for real keys: the software one is for trials (`npm run demo -- --keystore vault`)'
      : 'keystores other than OpenBao',
    'a shred on separate disks: everything of this demo shares one',
    'four eyes against the operator: the local issuer could mint both people’s tokens',
    'anything about plaintext that callers already had, memory images, or modified software',
    ...(world.apart === null
      ? [
          'that everyone sees one transparency log (no witness signs it), several regions, Kafka, EventStoreDB, MongoDB (`npm run demo -- --engines distributed`)',
        ]
      : [
          'that everyone sees one transparency log (no witness signs it), several regions',
          'EventStoreDB and MongoDB: these were a double of the wire and a stand-in, in memory',
          'yesterday’s backup played back: that is the demo on the embedded engines',
        ]),
  ])
    out.line(`  - ${text}`);
  out.line('\nType next:');
  out.line('  npx kcm receipt verify demo-output/receipt.jws --trust demo-output/trust.json');
  out.line('  npm start          the same product as a server; it says what to type then');
  out.line('  npm test           every promise, against real servers');
}

interface Chosen {
  readonly keystore: KeystoreName;
  readonly engines: EnginesName;
}

function chosen(args: readonly string[]): Chosen {
  const { values } = parseArgs({
    args: [...args],
    options: {
      keystore: { type: 'string', default: 'software' },
      engines: { type: 'string', default: 'embedded' },
    },
  });
  const { keystore, engines } = values;
  if (keystore !== 'software' && keystore !== 'vault')
    throw new TypeError(`--keystore ${keystore}: software or vault`);
  if (engines !== 'embedded' && engines !== 'distributed')
    throw new TypeError(`--engines ${engines}: embedded or distributed`);
  return { keystore, engines };
}

async function main(): Promise<number> {
  const out = new Printer();
  const start = performance.now();
  const { keystore, engines } = chosen(process.argv.slice(2));
  const world = new World(keystore);
  process.once('exit', () => world.children.killNow());
  for (const signal of ['SIGINT', 'SIGTERM'] as const)
    process.once(signal, () => {
      out.line(`\nInterrupted; the folder is kept: ${world.folder}`);
      process.exit(1);
    });
  out.line(`OpenKCM, the main job end to end; throw-away folder ${world.folder}`);
  try {
    await world.prepare(engines);
    await play(world, out);
  } catch (error) {
    const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
    out.line(`\n${error instanceof NotHeld ? `NOT HELD: ${error.message}` : `FAILED: ${text}`}`);
    out.line(`\n${world.children.tails()}\n\nThe folder is kept: ${world.folder}`);
    await world.stop();
    return 1;
  } finally {
    const total = { totalMs: Math.round(performance.now() - start) };
    world.save('timings.json', `${JSON.stringify({ ...out.timings, total }, null, 2)}\n`);
  }
  closing(world, out, performance.now() - start);
  world.remove();
  return 0;
}

try {
  // At once: callers that are still at work must not keep a failed demo alive.
  process.exit(await main());
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exit(2);
}
