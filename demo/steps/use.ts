import { createCipheriv, createSecretKey, randomBytes } from 'node:crypto';
import type { Sample } from '../edge-client.js';
import { uses } from '../keystores/customer-kms.js';
import { count, plural, type Printer } from '../print.js';
import type { World } from '../world.js';
import type { Tenants } from './connect.js';

const CALLS = 4_000;
const WARM_UP = 500;
const BATCHES = 40;
const BATCH_ITEMS = 256;
const RECORD_BYTES = 1_024;

/** Work as a service does it all day, beside bare AES-256-GCM on the same machine. */
export async function use(world: World, out: Printer, tenants: Tenants): Promise<Sample> {
  const { edge } = world;
  const plaintext = randomBytes(RECORD_BYTES);
  const sample = await edge.sample('acme', plaintext);
  const before = uses(tenants.acme.kms);
  const encrypts: number[] = [];
  const decrypts: number[] = [];
  const bareBefore = bareRate(plaintext);
  for (let call = 0; call < WARM_UP; call += 1) await edge.opens(sample);
  let failed = 0;
  for (let call = 0; call < CALLS; call += 1) {
    const [encrypted, encryptMs] = await timed(() => edge.encrypt('acme', plaintext));
    const { ciphertext = '' } = encrypted;
    const [decrypted, decryptMs] = await timed(() => edge.decrypt('acme', ciphertext));
    encrypts.push(encryptMs);
    decrypts.push(decryptMs);
    if (decrypted.plaintext !== plaintext.toString('base64')) failed += 1;
  }
  const batchRate = await batchesPerSecond(world, plaintext);
  const bare = (bareBefore + bareRate(plaintext)) / 2;
  const calls = uses(tenants.acme.kms) - before;

  const operations = 2 * CALLS + WARM_UP + BATCHES * BATCH_ITEMS;
  out.check(
    failed === 0,
    `${count(2 * CALLS)} calls of 1 KiB on the Unix socket, each checked: 0 failed.`,
  );
  const p = (name: string, list: readonly number[]): string => {
    const [p50, p99] = [percentile(list, 0.5), percentile(list, 0.99)];
    return `${name} p50 ${micros(out, `${name}P50Us`, p50)}, p99 ${micros(out, `${name}P99Us`, p99)}`;
  };
  out.say(
    `Round trip of one call after another: ${p('encrypt', encrypts)}; ${p('decrypt', decrypts)}.`,
  );
  const share = out.measured('batchShareOfBareAesGcm', batchRate / bare);
  out.say(
    `In batches of ${BATCH_ITEMS}: ${perSecond(out, 'batchPerSecond', batchRate)}, which is ` +
      `${Math.round(share * 100)} % of bare AES-256-GCM without transport, JSON and base64 ` +
      `(${perSecond(out, 'bareAesGcmPerSecond', bare)} on one core here, in the same run).`,
  );
  out.measured('callsToCustomerKms', calls);
  out.check(
    calls < operations / 1_000,
    `${plural(operations, 'operation')} cost ${plural(calls, 'call')} to the customer's KMS, as its ` +
      `own log shows (${before + calls} since it was connected): one proof serves all of a lease.`,
  );
  return sample;
}

async function timed<T>(work: () => Promise<T>): Promise<[T, number]> {
  const start = performance.now();
  const value = await work();
  return [value, performance.now() - start];
}

/** Records of 1 KiB a second on one core: nothing but the cipher, its IVs drawn beforehand. */
function bareRate(plaintext: Buffer): number {
  const key = createSecretKey(randomBytes(32));
  const runs = 40_000;
  const ivs = randomBytes(12 * runs);
  const once = (run: number): void => {
    const cipher = createCipheriv('aes-256-gcm', key, ivs.subarray(12 * run, 12 * run + 12));
    cipher.update(plaintext);
    cipher.final();
    cipher.getAuthTag();
  };
  for (let run = 0; run < runs / 4; run += 1) once(run);
  const start = performance.now();
  for (let run = 0; run < runs; run += 1) once(run);
  return (runs / (performance.now() - start)) * 1_000;
}

async function batchesPerSecond({ edge }: World, plaintext: Buffer): Promise<number> {
  await edge.encryptBatch('acme', plaintext, BATCH_ITEMS);
  const start = performance.now();
  for (let batch = 0; batch < BATCHES; batch += 1) {
    const { items = [] } = await edge.encryptBatch('acme', plaintext, BATCH_ITEMS);
    const good = items.filter(({ ciphertext }) => ciphertext !== undefined).length;
    if (good !== BATCH_ITEMS) throw new Error(`a batch of ${BATCH_ITEMS} came back with ${good}`);
  }
  return ((BATCHES * BATCH_ITEMS) / (performance.now() - start)) * 1_000;
}

const percentile = (list: readonly number[], share: number): number =>
  list.toSorted((a, b) => a - b)[Math.floor((list.length - 1) * share)] ?? 0;

const micros = (out: Printer, name: string, ms: number): string =>
  `${count(out.measured(name, ms * 1_000))} µs`;

const perSecond = (out: Printer, name: string, rate: number): string =>
  `${count(out.measured(name, rate))} records/s`;
