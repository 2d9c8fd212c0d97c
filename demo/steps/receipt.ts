import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { parseTrust, verifyReceipt } from '@kcm/evidence/verify';
import { type Ended, runToEnd } from '../child.js';
import { count, type Printer } from '../print.js';
import type { World } from '../world.js';
import type { Tenants } from './connect.js';
import { receiptOf } from './receipts.js';

/** What the customer keeps, and checks without us. */
export async function receipt(
  world: World,
  out: Printer,
  { acme }: Tenants,
  revocation: string,
): Promise<void> {
  const fetched = await receiptOf(acme.auditor, 'acme', revocation, 'shredded');
  const { jws, receipt: said } = fetched;
  world.save('receipt.jws', `${jws}\n`);
  await saveEvents(world, out);
  await world.stop();
  out.say('Every server, Edge and KMS of this demo is stopped now.');

  const apart = withoutNetwork();
  const output = world.path('output');
  const verify = (path: string): Promise<Ended> =>
    runToEnd('cli', ['receipt', 'verify', path, '--trust', 'trust.json'], {}, output, apart);
  out.command('kcm receipt verify receipt.jws --trust trust.json');
  const verified = await verify('receipt.jws');
  world.save('receipt.txt', verified.stdout);
  const where = apart.length > 0 ? 'in a network namespace with no network' : 'with no server';
  out.check(
    verified.code === 0 && verified.stdout.includes('VERIFIED'),
    `Another program verifies it ${where}, no database, no setting but the key pinned in ` +
      `trust.json.${verified.code === 0 ? '' : ` It said: ${verified.stderr.trim()}`}`,
  );

  const forged = flip(jws, Math.floor(jws.length / 2));
  writeFileSync(world.path('forged.jws'), forged);
  const wrong = await verify('../forged.jws');
  out.check(wrong.code === 1, `One changed byte, and it refuses: “${wrong.stderr.trim()}”`);
  const pinned = parseTrust(readFileSync(world.path('output', 'trust.json'), 'utf8'));
  const passed = Array.from(jws, (_, at) => at).filter((at) => verifies(flip(jws, at), pinned));
  out.measured('changedBytesTried', jws.length);
  out.check(
    passed.length === 0,
    `Each of its ${count(jws.length)} bytes changed in turn: refused ${count(jws.length - passed.length)} times.`,
  );
  const { shred, holders, revocation: told } = said;
  const spoke = holders.filter(({ statement }) => statement !== null).length;
  out.check(
    shred !== null,
    `It says: locked by ${told.lockedBy}, shredded by ${shred?.requestedBy}; ` +
      `${shred?.erasureKeys} erasure key and ${shred?.blobs} blobs gone; ` +
      `${spoke} of ${holders.length} holders signed that they refuse.`,
  );
  out.say(
    `Its word for this set-up is “${shred.word}”. ${imageOf(world)} No backup that ` +
      'leaves the erasure store out and no replay does. That is all it claims, and it lists what it ' +
      'does not.',
  );
}

/** Words before a program that take the network from it; none where the system does not allow it. */
function withoutNetwork(): readonly string[] {
  const words = ['unshare', '--map-root-user', '--net'];
  const tried = spawnSync(words[0] ?? '', [...words.slice(1), 'true'], { stdio: 'ignore' });
  return tried.status === 0 ? words : [];
}

/** Every event that an auditor of the platform sees, one JSON a line. */
async function saveEvents(world: World, out: Printer): Promise<void> {
  const body = { subject: 'paul', roles: ['platform-auditor'] };
  const operator = world.server.operator();
  const { token } = await operator.must<{ token: string }>('POST', '/v1/sys/tokens', body);
  const items = await world.server.as(token).list<object>('/v1/audit');
  const lines = items.map((item) => JSON.stringify(item)).join('\n');
  world.save('events.jsonl', `${lines}\n`);
  out.measured('auditItems', items.length);
  out.check(items.length > 0, `${count(items.length)} audit items tell this run: events.jsonl.`);
}

const flip = (text: string, at: number): string =>
  text.slice(0, at) + String.fromCharCode(text.charCodeAt(at) ^ 1) + text.slice(at + 1);

function verifies(jws: string, trust: Parameters<typeof verifyReceipt>[1]): boolean {
  try {
    verifyReceipt(jws, trust);
    return true;
  } catch {
    return false;
  }
}

const imageOf = ({ apart }: World): string =>
  apart === null
    ? 'Ledger, vault and erasure store share one disk here, so an image of that disk from before ' +
      'the shred opens, as shown above.'
    : 'An image of Core’s disk, which has the erasure store, and of the vault’s server, both from ' +
      'before the shred, would open.';
