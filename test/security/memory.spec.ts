import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import { jest } from '@jest/globals';
import { EdgeProcess, Keystore, onboard, Region, Stage } from '../support/index.js';
import { type Sample, type Tenant, until } from '../support/index.js';
import { LIMITS } from '@kcm/kernel';
import { caKeyIn, drawsIn, type EdgeRecord, keysIn, sharesOf, tekIn } from './learn.js';
import type { Secret } from './needles.js';
import { memorySearch, rawForms, textForms } from './process-memory.js';
import { runProgram } from '../support/server.js';

jest.setTimeout(120_000);

const SERVICE = 'billing';
/** What was let go of is collected within seconds; an Edge on a busy machine takes its time. */
const COLLECTED_MS_MAX = 40_000;
const LOOK_EVERY_MS = 500;
/** After the seal Core collects at once, and when no call to a keystore could still last. */
const SWEPT_MS = LIMITS.keystoreCallMsMax + 2_000;
/** A Core, and a customer's Edge apart from it. The Edge inside Core's process serves nobody. */
const stage = new Stage();
const draws = stage.path('draws');
const region = new Region(stage, {
  seal: 'shamir',
  services: 'nobody',
  program: ['test/security/recording.mjs', draws],
});
let shares: readonly string[];
let keystore: Keystore;
let acme: Tenant;
let edge: EdgeProcess;
const samples: Sample[] = [];
const records: EdgeRecord[] = [];

async function unseal(): Promise<void> {
  for (const share of shares.slice(0, 2))
    await region.operator.command('/v1/sys/unseal', { share });
  await region.serving();
  await edge?.connected();
}

async function encrypt(): Promise<number> {
  const client = edge.client(SERVICE);
  const sample = await client.sample('acme', 'what only its owner may read');
  samples.push(sample);
  const bytes = Buffer.from(sample.ciphertext, 'base64');
  const version = bytes.readUInt32BE(3 + bytes[2]!);
  records.push({ tenant: 'acme', version, bytes, context: '{}' });
  return version;
}

/** A version after the first, and every record opened: both sides have had every key in hand. */
async function use(): Promise<void> {
  await encrypt();
  await acme.anna.command(`${acme.path}/keys/${acme.l3[SERVICE]!}/rotate`);
  await until('the new version', 15_000, async () => (await encrypt()) > 1 || null);
  for (const sample of samples) expect(await edge.client(SERVICE).opens(sample)).toBe(true);
}

/** Everything that ever was a key, by who made it. */
async function keys(): Promise<readonly Secret[]> {
  const drawn = drawsIn(draws);
  const ca = caKeyIn(region.data, drawn);
  const named: readonly Secret[] = [
    tekIn(region.data, 'acme', drawn),
    ...keysIn(region.data, drawn, records).map((of) => ({ ...of, name: of.name.slice(0, 2) })),
  ];
  return [
    ...drawn
      .filter(({ bytes }) => !named.some((other) => other.bytes.equals(bytes)))
      .map(({ bytes, by }) => ({ name: MADE_BY[by] ?? by, bytes })),
    ...named,
    ...(await sharesOf(shares, drawn)).filter(({ bytes }) => bytes.length === SHARE_VALUE_BYTES),
    ca,
    // As OpenSSL has a number.
    { name: ca.name, bytes: Buffer.from(ca.bytes.toReversed()) },
  ];
}
const SHARE_VALUE_BYTES = 33;
const MADE_BY: Readonly<Record<string, string>> = {
  'seal-service': 'MasterKey',
  'signing-keys': 'signing key',
  hpke: 'transport key',
  hierarchy: 'S',
  'round-trip': 'S of a probe',
  edge: 'wrapping key of the Edge inside',
};
/** Of the process, and of an Edge whose boot goes on: neither is Core's. */
const STAY = ['planted', 'wrapping key of the Edge inside'];

async function rawIn(pid: number): Promise<readonly string[]> {
  const found = memorySearch(pid, rawForms(await keys()));
  return [...found.keys()].map((name) => name.replace(/ \(raw\)$/, '')).sort();
}

/** Nothing raw but what is named, in time. */
async function leftWith(pid: number, names: readonly string[]): Promise<void> {
  const end = performance.now() + COLLECTED_MS_MAX;
  let found = await rawIn(pid);
  while (found.some((name) => !names.includes(name)) && performance.now() < end) {
    await sleep(LOOK_EVERY_MS);
    found = await rawIn(pid);
  }
  expect(found).toEqual([...names].sort());
}

beforeAll(async () => {
  // Core files are allowed to whom we start, as far as we may: who holds keys forbids them itself.
  const words = ['--core=unlimited:unlimited', `--pid=${process.pid}`];
  if (spawnSync('prlimit', words).status !== 0) throw new Error('prlimit (util-linux) is needed');
  await region.start();
  const body = { shares: 3, threshold: 2 };
  shares = (await region.operator.command<{ shares: string[] }>('/v1/sys/init', body)).shares;
  await unseal();
  keystore = await Keystore.start(stage);
  acme = await onboard(region, keystore, 'acme', { services: [SERVICE] });
  edge = await EdgeProcess.start(stage, region, 'edge-1', [SERVICE]);
});
afterAll(() => stage.close());

describe('The memory of a process that has had keys', () => {
  it.each([
    ['buffers of Buffer.alloc', 'found: up to 64 bytes lie where they are moved'],
    ['Secrets disposed of', 'nothing'],
    ['a key opened from AES-GCM', 'nothing'],
    ['a key opened from AES-KW', 'nothing'],
  ])('is left with what it should of %s: %s', async (kind, left) => {
    const file = stage.path(`secret ${kind}`);
    const child = runProgram(
      ['test/security/disposed.mjs', file, kind],
      {},
      stage.path('logs', kind),
    );
    stage.atEnd(() => child.kill());
    const hex = await until('its secret', 15_000, () => {
      const said = existsSync(file) ? readFileSync(file, 'utf8') : '';
      // A file is there before what is written to it.
      return said === '' ? null : said;
    });
    const found = memorySearch(
      child.pid!,
      rawForms([{ name: kind, bytes: Buffer.from(hex, 'hex') }]),
    );
    expect([...found.keys()]).toEqual(left === 'nothing' ? [] : [`${kind} (raw)`]);
  });

  it.each(['core', 'standalone', 'edge', 'keystore'])(
    'is overwritten when it is freed: %s starts again as itself, with an allocator that does that',
    async (app) => {
      const file = stage.path(`starts of ${app}`);
      const env = {
        STARTS: file,
        NODE_OPTIONS: `--import=${pathToFileURL('test/security/started.mjs').href}`,
        GLIBC_TUNABLES: 'glibc.malloc.arena_max=8',
        KCM_DATA_DIR: stage.path(`data of ${app}`),
      };
      const child = runProgram([`dist/apps/${app}/main.js`], env, stage.path('logs', app));
      stage.atEnd(() => child.kill());
      const starts = await until('its second start', 15_000, () => {
        const lines = existsSync(file) ? readFileSync(file, 'utf8').trim().split('\n') : [];
        return lines.length > 1 ? lines.map((line) => JSON.parse(line) as object) : null;
      });
      const overwrites = 'glibc.malloc.tcache_count=0:glibc.malloc.perturb=170';
      expect(starts).toEqual([
        { pid: child.pid, tunables: env.GLIBC_TUNABLES },
        { pid: child.pid, tunables: `${env.GLIBC_TUNABLES}:${overwrites}` },
      ]);
    },
  );

  it.each(['Core', 'Edge', 'keystore'])('is in no core file: %s', (name) => {
    const pids = {
      Core: region.server.pid,
      Edge: edge.program.pid,
      keystore: keystore.program.pid,
    };
    const pid = pids[name as keyof typeof pids];
    expect(readFileSync(`/proc/${pid}/limits`, 'utf8')).toMatch(/^Max core file size +0 +0 /m);
    expect(readFileSync(`/proc/${pid}/coredump_filter`, 'utf8')).toBe('00000000\n');
  });

  it('of Core holds no key after the seal, and what it keeps of seeds as text is counted', async () => {
    await use();
    const { pid } = region.server;
    expect(await rawIn(pid)).toEqual(
      expect.arrayContaining(['CA key', 'L2', 'L3', 'keyring', 'planted', 'signing key']),
    );
    // A signature leaves a handle of its key behind, and nothing that collects it by itself so soon.
    await region.person('acme', 'carla', 'auditor');
    await region.operator.command('/v1/sys/seal');
    await leftWith(pid, STAY);
    await sleep(SWEPT_MS);
    const texts = memorySearch(pid, textForms(await keys()));
    process.stdout.write(`  after the seal, in Core: ${told(texts)}\n`);
    for (const what of texts.keys()) expect(what).toMatch(/^S( of a probe)? \(base64\)$/);
  });

  it('of an Edge holds no L3 and no data key after its leases, and none after a kill', async () => {
    await unseal();
    await use();
    const { pid } = edge.program;
    expect(await rawIn(pid)).toEqual(expect.arrayContaining(['L3', 'L4']));
    await until('the end of the leases', 30_000, async () => {
      const { leases } = await edge.client(SERVICE).status();
      return leases?.length === 0 || null;
    });
    await leftWith(pid, []);
    await encrypt();
    expect(await rawIn(pid)).toEqual(expect.arrayContaining(['L3', 'L4']));
    const kill = { kind: 'kill', scope: { all: true }, reason: { code: 'exit' } };
    await acme.anna.command(`${acme.path}/revocations`, kill);
    await leftWith(pid, []);
    const texts = memorySearch(pid, textForms(await keys()));
    process.stdout.write(`  after the kill, in the Edge: ${told(texts)}\n`);
    expect(texts.size).toBe(0);
  });
});

const told = (found: ReadonlyMap<string, number>): string =>
  found.size === 0 ? 'none' : [...found].map(([what, times]) => `${times} × ${what}`).join(', ');
