import { createPrivateKey } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { aeadOpen, commitmentOf, fromBase32, hkdf, lp, Secret as Key } from '@kcm/crypto';
import { combine } from 'shamir-secret-sharing';
import { blobsOf, eventsOf, type StoredEvent } from './disk.js';
import type { Secret } from './needles.js';

/** Drawn like a key and no key: they lie open by design, in directory.db and in operator-token. */
const OPEN_BY_DESIGN = ['subjects', 'operator-token'];

export interface Draw {
  readonly bytes: Buffer;
  readonly by: string;
}

export const drawsIn = (file: string): readonly Draw[] =>
  readFileSync(file, 'utf8')
    .trim()
    .split('\n')
    .map((line) => line.split(' ') as [string, string])
    .map(([hex, by]) => ({ bytes: Buffer.from(hex, 'hex'), by }))
    .filter(({ by }) => !OPEN_BY_DESIGN.includes(by));

const derived = (from: Buffer, salt: Buffer, info: Buffer): Buffer =>
  hkdf(Key.copy(from), salt, info).use((bytes) => Buffer.from(bytes));

interface Version {
  readonly level: 'L2' | 'L3';
  readonly tenant: string;
  readonly service: string;
  readonly key: string;
  readonly version: string;
  readonly commitment: string;
}

/** Every version of every key that the ledger names. */
function versionsIn(events: readonly StoredEvent[]): readonly Version[] {
  const created = new Map(
    events.filter(({ type }) => type === 'KeyCreated').map(({ stream, data }) => [stream, data]),
  );
  return events
    .filter(({ type }) => type === 'KeyVersionWrapped')
    .map(({ stream, data }) => {
      const { level, service } = created.get(stream)!;
      const [tenant = '', key = ''] = stream.slice('key-'.length).split('.');
      const { version, commitment } = data;
      return { level, service, tenant, key, version: String(version), commitment } as Version;
    });
}

/** The key of a version, known by the commitment in its event. @throws Error when it was not learnt */
function keyOf(of: Version, draws: readonly Draw[]): Secret {
  const identity = lp(of.level, of.tenant, of.key, of.version);
  for (const { bytes } of draws) {
    const key =
      of.level === 'L3'
        ? bytes
        : derived(bytes, Buffer.alloc(0), lp('kcm/l2/v1', of.tenant, of.key, of.version));
    if (commitmentOf(Key.copy(key), identity) === of.commitment)
      return { name: `${of.level} ${of.tenant}/${of.key}/${of.version}`, bytes: key };
  }
  throw new Error(`the recording does not hold ${of.level} of ${of.tenant}, version ${of.version}`);
}

/** The data key of a record that an Edge made, shown to be it by opening the record. */
function dataKeyOf(record: Buffer, of: Version, l3: Buffer, context: string): Secret {
  const idEnd = 3 + record[2]!;
  const salt = record.subarray(idEnd + 4, idEnd + 20);
  const identity = [of.tenant, of.service, of.key, of.version];
  const key = derived(l3, salt, lp('kcm/l4/v1', ...identity));
  aeadOpen(Key.copy(key), record.subarray(idEnd + 20), lp(...identity, context));
  return { name: `L4 under ${of.key}/${of.version}`, bytes: key };
}

/** A record that an Edge made. */
export interface EdgeRecord {
  readonly tenant: string;
  readonly version: number;
  readonly bytes: Buffer;
  /** In RFC 8785 form. */
  readonly context: string;
}

/** L2 and L3, all versions of them, and the data key of each record. Of a data folder. */
export function keysIn(
  dataDir: string,
  draws: readonly Draw[],
  records: readonly EdgeRecord[],
): readonly Secret[] {
  const versions = versionsIn(eventsOf(join(dataDir, 'ledger.db')));
  const keys = versions.map((version) => keyOf(version, draws));
  const l4 = records.map(({ tenant, version, bytes, context }) => {
    const at = versions.findIndex(
      (each) => each.level === 'L3' && each.tenant === tenant && each.version === String(version),
    );
    return dataKeyOf(bytes, versions[at]!, keys[at]!.bytes, context);
  });
  return [...keys, ...l4];
}

/** The erasure key of a tenant. */
export function tekIn(dataDir: string, tenant: string, draws: readonly Draw[]): Secret {
  const path = `tek/${tenant}`;
  const blob = blobsOf(join(dataDir, 'erasure.db')).get(path)!;
  return { name: 'TEK', bytes: openBarrier(path, blob, draws) };
}

/** The scalar of the region's authority. */
export function caKeyIn(dataDir: string, draws: readonly Draw[]): Secret {
  const vault = blobsOf(join(dataDir, 'vault.db'));
  const path = [...vault.keys()].find((each) => each.startsWith('sys/ca/'))!;
  return { name: 'CA key', bytes: scalarOf(openBarrier(path, vault.get(path)!, draws)) };
}

/** What two shares give back, which must be a draw; and the values that they carry. */
export async function sharesOf(
  shares: readonly string[],
  draws: readonly Draw[],
): Promise<readonly Secret[]> {
  const values = shares.map((text) => fromBase32(text.slice('kcms1-'.length))!.subarray(20, 53));
  const master = Buffer.from(
    await combine(values.slice(0, 2).map((value) => Uint8Array.from(value))),
  );
  if (!draws.some(({ bytes }) => bytes.equals(master)))
    throw new Error('the recording does not hold the MasterKey');
  return [
    { name: 'MasterKey', bytes: master },
    ...values.map((bytes, at) => ({ name: `share ${at + 1}`, bytes })),
    ...shares.map((text, at) => ({ name: `text of share ${at + 1}`, bytes: Buffer.from(text) })),
  ];
}

/** A barriered blob under whichever drawn key opens it. @throws Error when none does */
export function openBarrier(path: string, blob: Buffer, draws: readonly Draw[]): Buffer {
  const head = blob.subarray(0, 9);
  for (const { bytes } of draws) {
    try {
      return aeadOpen(Key.copy(bytes), blob.subarray(9), lp('kcm/barrier/v1', 'local', path, head));
    } catch {
      // Another key's.
    }
  }
  throw new Error(`the recording does not hold the barrier key of ${path}`);
}

/** The private scalar of a P-256 key in PKCS #8: other encodings of the key hold it too. */
const scalarOf = (der: Buffer): Buffer =>
  Buffer.from(
    createPrivateKey({ key: der, format: 'der', type: 'pkcs8' }).export({ format: 'jwk' }).d!,
    'base64url',
  );
