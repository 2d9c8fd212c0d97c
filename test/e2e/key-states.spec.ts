import { randomBytes, randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { jest } from '@jest/globals';
import {
  KEY_MATRIX,
  type KeyOperation,
  OPERATIONS,
  type Processing,
  type Standing,
  STANDINGS,
  standingOf,
  type VersionState,
} from '@kcm/domain';
import { type Code, httpStatusOf } from '@kcm/kernel';
import {
  attribute,
  Attributes,
  BatchErrorContinuation,
  KCM,
  type KmipFailure,
  leaseWrapping,
  plainAesKey,
  ResultReason,
  serviceKeyName,
  State,
  StorageStatus,
  UsageMask,
} from '@kcm/kmip';
import { KmipClient } from '@kcm/kmip/client';
import {
  BOUND_MS,
  type EdgeClient,
  EdgeProcess,
  Keystore,
  onboard,
  Region,
  runToEnd,
  type Sample,
  Stage,
  type Tenant,
  until,
  Workload,
} from '../support/index.js';

jest.setTimeout(60_000);

type Ended = Readonly<Record<string, readonly (string | undefined)[]>>;
interface KeyView {
  readonly id: string;
  readonly level: 'L2' | 'L3';
  readonly current: number;
  readonly versions: readonly {
    readonly version: number;
    readonly state: VersionState;
    readonly archived: boolean;
    readonly erasedAt: string | null;
    readonly wrappedBy: { readonly version: string };
    readonly compromised: { readonly since: string; readonly processing: Processing } | null;
  }[];
}
/** An Edge tells every ten seconds what it did, and what is over. */
const TOLD_MS = 20_000;
type Act = readonly [path: string, body?: object];
/** A service whose key's states are asked for at an Edge that is cut off. */
const FAR = ['far-deactivated', 'far-compromised'] as const;
const since = '2026-01-01T00:00:00.000Z';

/** How an operation is asked for over HTTP; null: it is no act, and is shown at KMIP and the Edge. */
const ACTS: { readonly [O in KeyOperation]: ((version: number) => Act) | null } = {
  protect: null,
  process: null,
  rewrap: null,
  maintain: null,
  activate: (version) => ['activate', { version }],
  deactivate: (version) => ['deactivate', { version }],
  compromise: (version) => ['compromise', { version, since: '2026-02-02T00:00:00.000Z' }],
  archive: (version) => ['archive', { version }],
  recover: (version) => ['recover', { version }],
  destroy: (version) => [`versions/${version}/destroy`, { acceptUnreported: true }],
};
const compromise = (version: number, processing: Processing): Act => [
  'compromise',
  { version, since, processing },
];
/**
 * How a version that has just come into use comes to stand so. One that is compromised in use is
 * replaced at once: it stays the current one where somebody had taken it out of use before.
 */
const WAYS: { readonly [S in Standing]: (version: number) => readonly Act[] } = {
  'pre-active': () => [],
  active: () => [],
  deactivated: () => [['deactivate']],
  compromised: (version) => [['deactivate'], compromise(version, 'refused')],
  'compromised-processing': (version) => [['deactivate'], compromise(version, 'allowed')],
  archived: (version) => [['deactivate'], ['archive', { version }]],
  destroyed: (version) => [['deactivate'], ACTS.destroy!(version)],
  'destroyed-compromised': (version) => [
    ['deactivate'],
    compromise(version, 'refused'),
    ACTS.destroy!(version),
  ],
};
/** Nothing can be protected with it on the way there, or it could not be destroyed. */
const WITHOUT_RECORD: readonly Standing[] = ['pre-active', 'destroyed', 'destroyed-compromised'];
const KMIP_STATE: { readonly [S in Standing]: State } = {
  'pre-active': State.PreActive,
  active: State.Active,
  deactivated: State.Deactivated,
  compromised: State.Compromised,
  'compromised-processing': State.Compromised,
  archived: State.Deactivated,
  destroyed: State.Destroyed,
  'destroyed-compromised': State.DestroyedCompromised,
};
const REASONS: { readonly [C in Code]?: ResultReason } = {
  key_not_active: ResultReason.IllegalOperation,
  key_compromised: ResultReason.PermissionDenied,
  key_archived: ResultReason.ObjectArchived,
  key_destroyed: ResultReason.PermissionDenied,
};

const AUDITED = [
  'KeyVersionPrepared',
  'KeyRotated',
  'KeyVersionDeactivated',
  'KeyCompromised',
  'KeyVersionArchived',
  'KeyVersionRecovered',
  'KeyVersionDestroyed',
];

describe('Keys in each state', () => {
  const stage = new Stage();
  let region: Region;
  let keystore: Keystore;
  let edge: EdgeProcess;
  let acme: Tenant;
  const before = new Map<string, Sample>();
  const records = new Map<string, Sample>();

  const post = (key: string, [path, body]: Act, headers = {}) =>
    acme.anna.post<KeyView>(`${acme.path}/keys/${key}/${path}`, body, headers);
  const act = async (key: string, what: Act): Promise<KeyView> => {
    const { status, body } = await post(key, what);
    if (status !== 200) throw new Error(`${what[0]}: ${status} ${JSON.stringify(body)}`);
    return body;
  };
  const show = (key: string) => acme.anna.get<KeyView>(`${acme.path}/keys/${key}`);
  const standing = async (key: string, version: number): Promise<Standing> => {
    const { versions } = (await show(key)).body;
    const { state, archived, compromised } = versions.find((one) => one.version === version)!;
    return standingOf({ state, archived, ...(compromised?.processing && compromised) });
  };
  /** The last event of a destruction: then nothing of it is still to come. */
  const erased = (key: string, version: number): Promise<true> =>
    until('its material to be erased', 5_000, async () => {
      const { versions } = (await show(key)).body;
      return versions.find((one) => one.version === version)!.erasedAt !== null || null;
    });
  /** The last event of a compromise: what may have been exposed is written down. */
  const exposed = (key: string, version: number): Promise<true> =>
    until('what may have been exposed', 5_000, async () => {
      const path = `${acme.path}/keys/${key}/exposures`;
      const told = await acme.auditor.list<{ version: number }>(path);
      return told.some((each) => each.version === version) || null;
    });
  /** A version of the spare key that stands so. */
  const bring = async (as: Standing): Promise<number> => {
    const key = acme.l3['spare']!;
    if (as !== 'pre-active') {
      // One that was compromised in use is being replaced by itself.
      const { current } = await until('a new version', 5_000, async () => {
        const { status, body } = await post(key, ['rotate']);
        return status === 200 ? body : null;
      });
      for (const step of WAYS[as](current)) await act(key, step);
      if (as.includes('compromised')) await exposed(key, current);
      if (as.startsWith('destroyed')) await erased(key, current);
      return current;
    }
    const ready = ({ versions }: KeyView) => versions.find(({ state }) => state === as)?.version;
    return ready((await show(key)).body) ?? ready(await act(key, ['rotate', { prepare: true }]))!;
  };
  /** Version 2 of the key of the service that is named for it; of version 1 there is a record too. */
  const stand = async (as: Standing): Promise<void> => {
    const client = edge.client(as);
    const key = acme.l3[as]!;
    const old = await client.sample('acme', `of ${as}, before`);
    before.set(as, old);
    await act(key, ['rotate', as === 'pre-active' ? { prepare: true } : {}]);
    if (WITHOUT_RECORD.includes(as)) records.set(as, claiming(old, 2));
    else records.set(as, await client.sample('acme', `of ${as}`));
    // Where an Edge could protect with it, it first tells that it does so no more.
    for (const step of WAYS[as](2))
      await until(step[0], TOLD_MS, async () => (await post(key, step)).status === 200 || null);
  };

  beforeAll(async () => {
    [region, keystore] = await Promise.all([new Region(stage).start(), Keystore.start(stage)]);
    const services = [...STANDINGS, 'spare'];
    edge = await EdgeProcess.start(stage, region, 'edge-1', STANDINGS);
    // So long a lease that only a notice explains what an Edge knows a moment later.
    acme = await onboard(region, keystore, 'acme', { services, leaseSeconds: 300 });
    for (const as of STANDINGS) await stand(as);
  });
  afterAll(() => stage.close());

  const cells = STANDINGS.flatMap((as) =>
    OPERATIONS.filter((operation) => ACTS[operation] !== null).map(
      (operation) => [as, operation, KEY_MATRIX[as][operation]] as const,
    ),
  );
  /** Of the cell before, which was refused or changed nothing. */
  let unchanged: { readonly as: Standing; readonly version: number } | null = null;
  it.each(cells)('over HTTP: %s, %s: %s', async (as, operation, cell) => {
    const key = acme.l3['spare']!;
    const version = unchanged?.as === as ? unchanged.version : await bring(as);
    unchanged = cell === 'yes' ? null : { as, version };
    expect(await standing(key, version)).toBe(as);
    const { headers } = await show(key);
    const answer = await post(key, ACTS[operation]!(version));
    const refused = cell !== 'yes' && cell !== 'done';
    expect(answer).toMatchObject(
      refused ? { status: httpStatusOf(cell), code: cell } : { status: 200, code: null },
    );
    const same = (await show(key)).headers['etag'] === headers['etag'];
    expect([same, cell]).toEqual([cell !== 'yes', cell]);
  });

  describe('what is asked for wrongly', () => {
    const field = async (what: Act) => {
      const { status, code, body } = await post(acme.l3['active']!, what);
      const { errors = [] } = body as { errors?: readonly { path: string }[] };
      return [status, code, ...errors.map(({ path }) => path)];
    };
    const soon = () => new Date(Date.now() + 60_000).toISOString();

    it.each([
      ['compromise', {}, 'since'],
      ['compromise', { since: 'yesterday' }, 'since'],
      ['compromise', { since, version: 0 }, 'version'],
      ['compromise', { since, version: 1, versions: [2] }, 'versions'],
      ['compromise', { since, versions: [] }, 'versions'],
      ['compromise', { since, processing: 'maybe' }, 'processing'],
      ['activate', {}, 'version'],
      ['archive', { version: '1' }, 'version'],
      ['recover', { version: 1.5 }, 'version'],
      ['rotate', { prepare: 'yes' }, 'prepare'],
    ])('%s %j is refused by the field: %s', async (verb, body, path) => {
      expect(await field([verb, body])).toEqual([400, 'invalid_request', path]);
    });

    it('a time that is still to come is refused by the field', async () => {
      expect(await field(['compromise', { since: soon() }])).toEqual([
        400,
        'invalid_request',
        'since',
      ]);
    });

    it.each(['activate', 'deactivate', 'archive', 'recover', 'compromise'])(
      '%s of a version that is not there is not found; of another revision fails; by others is forbidden',
      async (verb) => {
        const key = acme.l3['active']!;
        const what: Act = [verb, { version: 99, ...(verb === 'compromise' && { since }) }];
        expect(await post(key, what)).toMatchObject({ status: 404, code: 'not_found' });
        const stale = await post(key, what, { 'if-match': '"0"' });
        expect(stale).toMatchObject({ status: 412, code: 'precondition_failed' });
        const path = `${acme.path}/keys/${key}/${verb}`;
        const byAuditor = await acme.auditor.post(path, what[1]);
        expect(byAuditor).toMatchObject({ status: 403, code: 'forbidden' });
        const ofNoKey = await post('l3-000000000000', what);
        expect(ofNoKey).toMatchObject({ status: 404, code: 'not_found' });
      },
    );

    it('a command that is sent again is the same one; one version is made ready at a time', async () => {
      const key = acme.l3['spare']!;
      const ready = await bring('pre-active');
      const again = await post(key, ['rotate', { prepare: true }]);
      expect(again).toMatchObject({ status: 409, code: 'wrong_state' });
      const headers = { 'idempotency-key': randomUUID() };
      const what: Act = ['activate', { version: ready }];
      const first = await post(key, what, headers);
      const repeated = await post(key, what, headers);
      expect([first.status, repeated.status, first.body.current]).toEqual([200, 200, ready]);
      expect(repeated.headers['etag']).toBe(first.headers['etag']);
      const other = await post(key, ['activate', { version: 1 }], headers);
      expect(other).toMatchObject({ status: 422, code: 'idempotency_key_reused' });
    });

    it('each act is an item of the audit trail', async () => {
      const resource = `${acme.path}/keys/${acme.l3['spare']}`;
      type Item = { readonly action: string; readonly resource: string };
      const trail = await acme.auditor.list<Item>(`${acme.path}/audit`);
      const seen = trail.filter((item) => item.resource === resource).map(({ action }) => action);
      expect(seen).toEqual(expect.arrayContaining([...AUDITED]));
    });
  });

  it('kcm types each act', async () => {
    const key = acme.l3['spare']!;
    const token = await region.server.tokenFor('acme', ['key-admin'], 'karl');
    const env = { KCM_DATA_DIR: region.data, KCM_TOKEN: token };
    const typed = async (...words: string[]): Promise<KeyView> => {
      const all = ['key', ...words, '--tenant', 'acme', '--json'];
      const { code, stdout, stderr } = await runToEnd('cli', all, env);
      if (code !== 0) throw new Error(stderr);
      return JSON.parse(stdout) as KeyView;
    };
    const { versions } = await typed('rotate', key, '--prepare');
    const { version } = versions.at(-1)!;
    expect(await standing(key, version)).toBe('pre-active');
    expect((await typed('activate', key, `${version}`)).current).toBe(version);
    await typed('deactivate', key);
    await typed('archive', key, `${version}`);
    expect(await standing(key, version)).toBe('archived');
    await typed('recover', key, `${version}`);
    expect(await standing(key, version)).toBe('deactivated');
    const all = ['--since', since, '--allow-processing'];
    await typed('compromise', key, `${version - 1}`, `${version}`, ...all);
    expect(await standing(key, version)).toBe('compromised-processing');
    await typed('compromise', key, '--since', since);
    expect(await standing(key, version)).toBe('compromised');
    const usage = ['key', 'compromise', key, 'one', '--since', since, '--tenant', 'acme'];
    const wrong = await runToEnd('cli', usage, env);
    expect([wrong.code, wrong.stderr]).toEqual([2, expect.stringContaining('one is not a whole')]);
  });

  describe('at the KMIP door', () => {
    let client: KmipClient;
    let kwk: string;
    beforeAll(async () => {
      const identity = stage.path('kmip');
      const words = ['edge', 'enrol', 'edge-kmip', '--services', STANDINGS.join(',')];
      const enrolled = await region.kcm(...words, '--out', identity);
      if (enrolled.code !== 0) throw new Error(enrolled.stderr);
      const read = (name: string) => readFileSync(join(identity, name), 'utf8');
      const [host = '', port = ''] = region.kmip!.split(':');
      client = await KmipClient.connect({
        host,
        port: Number(port),
        ca: read('ca.pem'),
        certificate: read('client.pem'),
        privateKey: read('client-key.pem'),
        timeoutMs: 5_000,
      });
      const registered = await client.call('Register', {
        attributes: [
          attribute.integer('Cryptographic Usage Mask', UsageMask.WrapKey),
          attribute.date('Activation Date', 0),
          attribute.text(KCM.boot, randomUUID()),
        ],
        object: plainAesKey(randomBytes(32)),
      });
      kwk = registered.uniqueIdentifier;
    });
    afterAll(() => client.close());

    const located = async (as: Standing, state: State | null, storageStatusMask?: number) => {
      const name = attribute.objectName(serviceKeyName('acme', as));
      const attributes = state === null ? [name] : [name, attribute.enumeration('State', state)];
      const asked = { attributes, ...(storageStatusMask !== undefined && { storageStatusMask }) };
      return (await client.call('Locate', asked)).uniqueIdentifiers;
    };
    const reasonOf = (result: { ok: true } | { ok: false; failure: KmipFailure }) =>
      result.ok ? 'yes' : result.failure.reason;
    const reason = (cell: 'yes' | 'done' | Code) =>
      cell === 'yes' || cell === 'done' ? 'yes' : REASONS[cell]!;
    const uidOf = (as: Standing, version = 2) => `acme/${acme.l3[as]}/${version}`;

    it.each(STANDINGS)('%s: it is located by what it is and by where it is', async (as) => {
      const { OnLine, Archival } = StorageStatus;
      const everywhere = OnLine | Archival;
      // What is not in use yet has no name: that is the version before it.
      const uid = uidOf(as, as === 'pre-active' ? 1 : 2);
      const is = as === 'pre-active' ? State.Active : KMIP_STATE[as];
      for (const state of Object.values(State))
        expect(await located(as, state, everywhere)).toEqual(state === is ? [uid] : []);
      const where = as === 'archived' ? Archival : OnLine;
      expect(await located(as, null, where)).toEqual([uid]);
      expect(await located(as, null, everywhere & ~where)).toEqual([]);
      expect(await located(as, null)).toEqual(as === 'archived' ? [] : [uid]);
    });

    it.each(STANDINGS)('%s: Obtain Lease, Get Usage Allocation, Get', async (as) => {
      const { protect, process, rewrap } = KEY_MATRIX[as];
      const target = { uniqueIdentifier: uidOf(as) };
      const leased = rewrap === 'yes' ? 'yes' : process;
      const keyWrappingSpecification = leaseWrapping(kwk);
      const { results } = await client.batch(
        [
          { operation: 'ObtainLease', payload: target },
          { operation: 'GetAttributes', payload: { ...target, attributeNames: [] } },
          { operation: 'Get', payload: { ...target, keyWrappingSpecification } },
        ],
        { continuation: BatchErrorContinuation.Continue },
      );
      const [lease, answered, got] = results;
      expect(reasonOf(lease)).toBe(reason(leased));
      expect([answered.ok, got.ok]).toEqual([leased === 'yes', leased === 'yes']);
      if (answered.ok) {
        const attributes = new Attributes(answered.payload.attributes);
        expect(attributes.number('State')).toBe(KMIP_STATE[as]);
        expect(attributes.number('Protect Stop Date') === null).toBe(protect === 'yes');
        const processing = as.startsWith('compromised')
          ? [process === 'yes' ? 'allowed' : 'refused', Date.parse(since) / 1_000]
          : [null, null];
        const occurred = attributes.number('Compromise Occurrence Date');
        const dates = ['Activation Date', 'Deactivation Date', 'Compromise Date'];
        const dated = dates.filter((name) => Date.now() / 1_000 - attributes.number(name)! < 600);
        const ended = { deactivated: [dates[1]], compromised: [dates[1], dates[2]] };
        expect(dated).toEqual([dates[0], ...((ended as Ended)[as.split('-')[0]!] ?? [])]);
        expect([attributes.text(KCM.processing), occurred]).toEqual(processing);
      }
      const { results: protecting } = await client.batch([
        { operation: 'ObtainLease', payload: target },
        { operation: 'GetUsageAllocation', payload: { ...target, count: 1n } },
      ]);
      expect(reasonOf(protecting[0])).toBe(reason(leased === 'yes' ? protect : leased));
      expect(protecting[1].ok).toBe(protect === 'yes');
    });
  });

  it('a version is wrapped anew under the next L2 unless it is destroyed, in any state', async () => {
    const keys = await acme.anna.list<KeyView>(`${acme.path}/keys`);
    const l2 = keys.find(({ level }) => level === 'L2')!;
    const { current } = await act(l2.id, ['rotate']);
    for (const as of STANDINGS) {
      const anew = KEY_MATRIX[as].maintain === 'yes' ? `${current}` : '1';
      await until(`${as} under version ${anew}`, 10_000, async () => {
        const { versions } = (await show(acme.l3[as]!)).body;
        return versions[1]!.wrappedBy.version === anew || null;
      });
    }
  });

  it('an Edge that hears nothing of it ends with its lease, and knows it when it asks again', async () => {
    const [far, tenant] = await Promise.all([
      EdgeProcess.start(stage, region, 'edge-far', FAR),
      onboard(region, keystore, 'faraway', { services: FAR }),
    ]);
    const workloads = await Promise.all(
      FAR.map(async (service) => {
        const client = far.client(service);
        const workload = new Workload(stage, client, await client.sample('faraway', service));
        await workload.untilServed(5_000);
        return workload;
      }),
    );
    far.wire.cut();
    const at = Date.now();
    const asked = async (service: string, what: object, verb: string) =>
      tenant.anna.command(`${tenant.path}/keys/${tenant.l3[service]}/${verb}`, what);
    await asked('far-deactivated', {}, 'deactivate');
    await asked('far-compromised', {}, 'deactivate');
    await asked('far-compromised', { since }, 'compromise');
    await Promise.all(workloads.map((each) => each.untilRefused(BOUND_MS)));
    for (const { lastServedAt } of workloads) expect(lastServedAt - at).toBeLessThan(BOUND_MS);
    far.wire.heal();
    const [stopped, leaked] = workloads;
    await until('what still opens', BOUND_MS, () => stopped!.decrypts.refusedAt === null || null);
    await until('what is refused', BOUND_MS, () => {
      const [one, other] = workloads.map(({ encrypts }) => encrypts.code);
      return (one === 'key_not_active' && other === 'key_compromised') || null;
    });
    await Promise.all(workloads.map((each) => each.stop()));
    expect(stopped!.decrypts.refusedAt).toBeNull();
    expect(leaked!.codes).toEqual(['key_compromised', 'key_compromised']);
  });

  describe('at the socket of an Edge that held it in use', () => {
    const outcomes = async (client: EdgeClient, as: Standing) => {
      const [encrypted, opened, older] = await Promise.all([
        client.encrypt('acme', 'new'),
        client.decrypt('acme', records.get(as)!.ciphertext),
        client.opens(before.get(as)!),
      ]);
      return { encrypted, opened, older };
    };

    it.each(STANDINGS)(
      '%s: encrypt, decrypt, and decrypt what another version sealed',
      async (as) => {
        const { protect, process } = KEY_MATRIX[as];
        const { encrypted, opened, older } = await outcomes(edge.client(as), as);
        // What is not in use yet keeps the version before it in use.
        const current = as === 'pre-active' ? 'yes' : protect;
        expect(encrypted).toMatchObject(told(current));
        if (current === 'yes') expect(encrypted.keyVersion).toBe(as === 'pre-active' ? 1 : 2);
        expect(opened).toMatchObject(told(process));
        expect(older).toBe(true);
      },
    );

    const rewrapped = (client: EdgeClient, { tenant, ciphertext }: Sample) =>
      client.ask(tenant, 'rewrap', { ciphertext });

    it.each(STANDINGS)(
      '%s: rewrap; the next version puts the key back into use, without a restart',
      async (as) => {
        const { process, rewrap } = KEY_MATRIX[as];
        const client = edge.client(as);
        const record = records.get(as)!;
        const unused = as === 'pre-active' ? await rewrapped(client, record) : null;
        const newest = unused === null ? 3 : 2;
        await act(acme.l3[as]!, unused === null ? ['rotate'] : ['activate', { version: 2 }]);
        await until(`version ${newest} in use`, 3_000, async () => {
          const { keyVersion } = await client.encrypt('acme', 'new');
          return keyVersion === newest || null;
        });
        const moved = unused ?? (await rewrapped(client, record));
        expect(moved).toMatchObject(told(rewrap));
        if (moved.ciphertext !== undefined) {
          expect(moved.keyVersion).toBe(newest);
          expect(await client.opens({ ...record, ciphertext: moved.ciphertext })).toBe(true);
        }
        const { older, opened } = await outcomes(client, as);
        expect(older).toBe(true);
        // A record that only claims to be of a version opens nothing when that is in use.
        expect(opened.code).toBe(unused === null ? toldCode(process) : 'decryption_failed');
      },
    );

    it.each([
      ['archived', ['recover', { version: 2 }], true],
      ['compromised', compromise(2, 'allowed'), true],
      ['compromised', compromise(2, 'refused'), 'key_compromised'],
    ] as const)('%s: %j is known to it at once', async (as, what, expected) => {
      await act(acme.l3[as]!, what);
      const client = edge.client(as);
      await until(
        `${expected}`,
        3_000,
        async () => (await client.opens(records.get(as)!)) === expected || null,
      );
    });

    it('one that it holds to decrypt alone is dropped when it is archived, long before its lease ends', async () => {
      const client = edge.client('active');
      const key = acme.l3['active']!;
      for (let n = 0; n < 3; n += 1) {
        const { current } = await act(key, ['rotate']);
        await until('the version', 3_000, async () => {
          const { keyVersion } = await client.encrypt('acme', 'new');
          return keyVersion === current || null;
        });
        const record = await client.sample('acme', 'of a version that is archived');
        await act(key, ['rotate']);
        expect(await client.opens(record)).toBe(true);
        await act(key, ['archive', { version: current }]);
        await until('the refusal', 700, async () => {
          const opened = await client.opens(record);
          return opened === 'key_archived' || null;
        });
        await act(key, ['recover', { version: current }]);
        await until('it again', 3_000, async () => (await client.opens(record)) === true || null);
      }
    });

    it('a version that is made ready and takes over costs no call', async () => {
      const client = edge.client('active');
      const workload = new Workload(stage, client, records.get('active')!);
      const key = acme.l3['active']!;
      for (let n = 0; n < 5; n += 1) {
        await act(key, ['rotate', { prepare: true }]);
        await act(key, ['rotate']);
        await workload.untilServed(5_000);
      }
      const { encrypts, decrypts } = await workload.stop();
      expect([encrypts.refused, decrypts.refused]).toEqual([0, 0]);
    });
  });
});

/** The same record under another version's number: it opens nothing, whatever the key. */
function claiming({ tenant, plaintext, ciphertext }: Sample, version: number): Sample {
  const bytes = Buffer.from(ciphertext, 'base64');
  bytes.writeUInt32BE(version, 3 + bytes[2]!);
  return { tenant, plaintext, ciphertext: bytes.toString('base64') };
}
const toldCode = (cell: string): string | null => (cell === 'yes' ? null : cell);
const told = (cell: 'yes' | 'done' | Code) =>
  cell === 'yes' || cell === 'done'
    ? { status: 200, code: null }
    : { status: httpStatusOf(cell), code: cell };
