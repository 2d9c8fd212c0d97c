import { spawn } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { L3Ref, LeaseDesk, LeaseRefusal } from '@kcm/custody';
import { systemRandom } from '@kcm/kernel';
import * as codec from '@kcm/kmip/codec';
import { TestAuthority, type TestCertificate } from '@kcm/testing/tls';
import { KmipFront } from '../../apps/core/kmip/index.js';
import { ensurePyKmip } from '../../scripts/services/pykmip.mjs';

const UID = 'acme/l3-0123456789ab/1';
const located: L3Ref = { ok: true, uid: UID, state: 'active', archived: false };
const refused: LeaseRefusal = { ok: false, effect: 'denied', code: 'not_found' };
const desk: LeaseDesk = {
  locate: (_holder, tenant) => Promise.resolve(tenant === 'acme' ? located : refused),
  lease: () => Promise.resolve(refused),
  material: () => refused,
  policy: () => ({ ttlSeconds: 1, maxUses: 1, maxAgeSeconds: 1, off: true }),
  holders: () => [],
  tenantsOf: () => [],
};

type Table = { readonly [name: string]: number };
interface Said {
  readonly versions: readonly (readonly [number, number])[];
  readonly operations: readonly number[];
  readonly vendor: string;
  readonly [operation: string]: unknown;
}

let packages: string;
let folder: string;
beforeAll(async () => {
  packages = await ensurePyKmip();
  folder = await mkdtemp(join(tmpdir(), 'kcm-pykmip-'));
}, 180_000);
afterAll(() => rm(folder, { recursive: true, force: true }));

/** What the client prints, read as JSON; its complaints are the test's. */
function pykmip<T>(...args: readonly string[]): Promise<T> {
  return new Promise((resolve, reject) => {
    const child = spawn('python3', [join(import.meta.dirname, 'pykmip-client.py'), ...args], {
      env: { ...process.env, PYTHONPATH: packages },
    });
    let out = '';
    let err = '';
    child.stdout.on('data', (chunk) => (out += String(chunk)));
    child.stderr.on('data', (chunk) => (err += String(chunk)));
    child.on('error', reject);
    child.on('close', (code) =>
      code === 0 ? resolve(JSON.parse(out) as T) : reject(new Error(err.slice(-2000))),
    );
  });
}

async function serve(): Promise<{ front: KmipFront; files: readonly string[] }> {
  const authority = await TestAuthority.create();
  const [own, edge] = await Promise.all([authority.server(), authority.edge('e1')]);
  const front = await KmipFront.start({
    region: 'local',
    desk,
    view: {
      edge: () => ({
        status: 'enrolled',
        services: ['billing'],
        certificateSha256: edge.sha256,
        notAfter: '2100-01-01T00:00:00.000Z',
      }),
      tenant: () => ({ status: 'absent' }),
      access: () => ({ status: 'open', term: 1, epoch: 1 }),
      keys: () => new Map(),
    },
    credentials: own,
    host: '127.0.0.1',
    port: 0,
    wallMs: () => Date.now(),
    random: systemRandom,
    onAcknowledgement: () => Promise.resolve(),
    onUsage: () => Promise.resolve(),
    onCloned: () => undefined,
    onRefused: () => undefined,
    onError: (error) => {
      throw error;
    },
  });
  return { front, files: await written(edge) };
}

const written = ({ certificate, privateKey, ca }: TestCertificate): Promise<string[]> =>
  Promise.all(
    [certificate, privateKey, ca].map(async (pem, index) => {
      const file = join(folder, `${index}.pem`);
      await writeFile(file, pem, { mode: 0o600 });
      return file;
    }),
  );

describe('PyKMIP, a client that others wrote', () => {
  it.each([0, 2, 4])(
    'works against Core in KMIP 1.%i and is refused in the right words',
    async (minor) => {
      const { front, files } = await serve();
      try {
        const said = await pykmip<Said>('127.0.0.1', `${front.port}`, ...files, `${minor}`);
        expect(said.versions.slice(0, 2)).toEqual([
          [1, 4],
          [1, 3],
        ]);
        expect(said.operations).toContain(codec.Operation.ObtainLease);
        expect(said.vendor).toBe('OpenKCM');
        expect(said).toMatchObject({
          register: { reason: null },
          locate: { reason: null, uuids: [UID] },
          attributes: {
            reason: null,
            values: { State: 'State.ACTIVE', 'x-kcm-boot-id': 'boot-of-pykmip' },
          },
          get: { reason: 'ILLEGAL_OPERATION' },
          getKwk: { reason: 'NOT_EXTRACTABLE' },
          create: { reason: 'OPERATION_NOT_SUPPORTED' },
          destroyUnknown: { reason: 'ITEM_NOT_FOUND', message: 'not_found' },
        });
      } finally {
        await front.close();
      }
    },
    30_000,
  );

  it('numbers tags, types, operations and reasons as this library does', async () => {
    const theirs = await pykmip<{ readonly [table: string]: Table }>('tables');
    const tables: readonly (readonly [string, Table])[] = [
      ['Tags', codec.Tag],
      ['Types', codec.ITEM_TYPES],
      ['Operation', codec.Operation],
      ['ResultStatus', codec.ResultStatus],
      ['ResultReason', codec.ResultReason],
      ['ObjectType', codec.ObjectType],
      ['State', codec.State],
      ['QueryFunction', codec.QueryFunction],
      ['CryptographicAlgorithm', codec.CryptographicAlgorithm],
      ['KeyFormatType', codec.KeyFormatType],
      ['WrappingMethod', codec.WrappingMethod],
      ['EncodingOption', codec.EncodingOption],
      ['BlockCipherMode', codec.BlockCipherMode],
      ['NameType', codec.NameType],
      ['LinkType', codec.LinkType],
      ['RevocationReasonCode', codec.RevocationReasonCode],
      ['BatchErrorContinuationOption', codec.BatchErrorContinuation],
      ['CryptographicUsageMask', codec.UsageMask],
    ];
    for (const [name, ours] of tables) {
      const known = new Map(
        Object.entries(theirs[name]!).map(([key, value]) => [plain(key), value]),
      );
      const differing = Object.entries(ours).filter(
        ([key, value]) => known.has(plain(key)) && known.get(plain(key)) !== value,
      );
      expect([name, differing]).toEqual([name, []]);
      const shared = Object.keys(ours).filter((key) => known.has(plain(key)));
      expect([name, shared.length > 1]).toEqual([name, true]);
    }
  }, 30_000);
});

/** Names differ in case and punctuation only. */
const plain = (name: string): string => name.replaceAll(/[^A-Za-z0-9]/g, '').toUpperCase();
