import { randomBytes, randomUUID } from 'node:crypto';
import type { AddressInfo } from 'node:net';
import { createServer as createTlsServer } from 'node:tls';
import type { Cause, Code } from '@kcm/kernel';
import type { Answer, KeystoreDriver, RootKey } from '@kcm/keystores';
import { type Fault, ENDLESS, httpAnswer, SLOW, startFaultyServer } from './faulty-server.js';

type Fields = { readonly [field: string]: string };

/** A fresh key at the real keystore and what its owner can do to it there. */
export interface KeyUnderTest {
  readonly reference: Fields;
  /** The same key by another reference. */
  readonly alias: Fields;
  readonly credentials: Fields;
  readonly wrongCredentials: Fields;
  disable(): Promise<void>;
  enable(): Promise<void>;
  /** A new version: it wraps from now on. */
  rotate(): Promise<void>;
  delete(): Promise<void>;
  /** Another key under the name of the deleted one. */
  recreate(): Promise<void>;
  withdraw(): Promise<void>;
  allow(): Promise<void>;
}
export interface AuditLine {
  readonly callId: string | null;
  readonly requestId: string;
}
export interface KeystoreBench {
  readonly driver: KeystoreDriver;
  newKey(): Promise<KeyUnderTest>;
  /** The key's reference with another address in it. */
  at(reference: Fields, url: string): Fields;
  /** The provider's own audit log, as it stands on disk. */
  audit(): Promise<readonly AuditLine[]>;
  readonly throttled: Fault;
  /** A refusal of its own: status and body. */
  readonly refusal: { readonly status: string; readonly body: string };
  stop(): Promise<void>;
}

const BINDING = { tenant: 'acme', key: 'l2-0123456789ab', version: 1 };
const OTHERS = [
  { ...BINDING, tenant: 'globex' },
  { ...BINDING, key: 'l2-ba9876543210' },
  { ...BINDING, version: 2 },
];
const call = () => ({ callId: randomUUID() });

/** What was refused, without the sentence. */
function refusal(answer: Answer<unknown>): { cause: Cause; code: Code } | 'ok' {
  return answer.ok ? 'ok' : { cause: answer.cause, code: answer.code };
}
function valueOf<T>(answer: Answer<T>): T {
  if (!answer.ok) throw new Error(`refused: ${answer.code} (${answer.detail})`);
  return answer.value;
}

/** One suite for every keystore, over its real server. */
export function keystoreConformance(name: string, start: () => Promise<KeystoreBench>): void {
  describe(`keystore ${name}`, () => {
    let bench: KeystoreBench;
    let opened: RootKey[] = [];
    beforeAll(async () => {
      bench = await start();
    }, 120_000);
    afterEach(async () => {
      await Promise.all(opened.map((root) => root.close()));
      opened = [];
    });
    afterAll(async () => {
      await bench.stop();
    });

    const open = async (reference: Fields, credentials: Fields, pinned?: string) => {
      const root = await bench.driver.open(reference, credentials, pinned);
      opened.push(root);
      return root;
    };
    /** A fresh key, opened and pinned, with a seed wrapped under it. */
    const wrapped = async () => {
      const key = await bench.newKey();
      const first = await open(key.reference, key.credentials);
      const { resolved } = valueOf(await first.resolve(call()));
      const root = await open(key.reference, key.credentials, resolved);
      const seed = randomBytes(32);
      const { bytes } = valueOf(await root.wrap(seed, BINDING, call()));
      return { key, root, seed, blob: bytes, resolved };
    };

    it('gives back the seed that it wrapped, and its ciphertext does not hold it', async () => {
      const { root, seed, blob } = await wrapped();
      expect(valueOf(await root.unwrap(blob, BINDING, call())).equals(seed)).toBe(true);
      expect(blob.includes(seed)).toBe(false);
    });

    it('wraps by the newest version, which it tells, and opens what earlier ones wrapped', async () => {
      const { key, root, seed, blob } = await wrapped();
      const versionNow = async () => valueOf(await root.resolve(call())).keyVersion;
      const before = await versionNow();
      await key.rotate();
      expect(Number(await versionNow())).toBe(Number(before) + 1);
      const anew = valueOf(await root.wrap(seed, BINDING, call()));
      expect(anew.keyVersion).toBe(await versionNow());
      for (const each of [blob, anew.bytes])
        expect(valueOf(await root.unwrap(each, BINDING, call())).equals(seed)).toBe(true);
    });

    it('wraps the same seed differently each time', async () => {
      const { root, seed, blob } = await wrapped();
      const again = valueOf(await root.wrap(seed, BINDING, call()));
      expect(again.bytes.equals(blob)).toBe(false);
    });

    it('resolves two references to one key alike and two keys apart', async () => {
      const key = await bench.newKey();
      const other = await bench.newKey();
      const ids = [];
      for (const [reference, { credentials }] of [
        [key.reference, key],
        [key.alias, key],
        [other.reference, other],
      ] as const) {
        const root = await open(reference, credentials);
        ids.push(valueOf(await root.resolve(call())).resolved);
      }
      expect(ids[1]).toBe(ids[0]);
      expect(ids[2]).not.toBe(ids[0]);
    });

    it('refuses a blob for another tenant, key or version as integrity', async () => {
      const { root, blob } = await wrapped();
      for (const binding of OTHERS)
        expect(refusal(await root.unwrap(blob, binding, call()))).toEqual({
          cause: 'integrity',
          code: 'integrity',
        });
    });

    it('refuses a blob with any byte changed, cut or lengthened as integrity', async () => {
      const { root, blob } = await wrapped();
      const variants: Uint8Array[] = [...blob.keys()].map((at) => {
        const changed = Buffer.from(blob);
        changed[at]! ^= 1;
        return changed;
      });
      variants.push(blob.subarray(0, -1), Buffer.concat([blob, Buffer.alloc(1)]));
      variants.push(Buffer.alloc(0), Buffer.from('no blob at all'));
      for (const variant of variants)
        expect(refusal(await root.unwrap(variant, BINDING, call()))).toEqual({
          cause: 'integrity',
          code: 'integrity',
        });
    });

    it('denies under a disabled key, and opens again when it is enabled', async () => {
      const { key, root, seed, blob } = await wrapped();
      await key.disable();
      expect(refusal(await root.unwrap(blob, BINDING, call()))).toEqual({
        cause: 'denied',
        code: 'root_key_disabled',
      });
      await key.enable();
      expect(valueOf(await root.unwrap(blob, BINDING, call())).equals(seed)).toBe(true);
    });

    it('denies under a deleted key, whatever is asked', async () => {
      const { key, root, blob } = await wrapped();
      await key.delete();
      const denied = { cause: 'denied', code: 'root_key_not_found' };
      expect(refusal(await root.unwrap(blob, BINDING, call()))).toEqual(denied);
      expect(refusal(await root.wrap(randomBytes(32), BINDING, call()))).toEqual(denied);
      expect(refusal(await root.resolve(call()))).toEqual(denied);
    });

    it('does not take a new key under the old name for the one that was connected', async () => {
      const { key, root, blob } = await wrapped();
      await key.delete();
      await key.recreate();
      const denied = { cause: 'denied', code: 'root_key_not_found' };
      expect(refusal(await root.unwrap(blob, BINDING, call()))).toEqual(denied);
      expect(refusal(await root.wrap(randomBytes(32), BINDING, call()))).toEqual(denied);
    }, 15_000);

    it('denies as forbidden once access is withdrawn, and opens when it is given back', async () => {
      const { key, root, seed, blob } = await wrapped();
      await key.withdraw();
      const denied = { cause: 'denied', code: 'root_key_forbidden' };
      expect(refusal(await root.unwrap(blob, BINDING, call()))).toEqual(denied);
      expect(refusal(await root.wrap(seed, BINDING, call()))).toEqual(denied);
      expect(refusal(await root.resolve(call()))).toEqual(denied);
      await key.allow();
      expect(valueOf(await root.unwrap(blob, BINDING, call())).equals(seed)).toBe(true);
    });

    it('says credential, not denied, to credentials that the keystore does not know', async () => {
      const { key, blob, resolved } = await wrapped();
      const root = await open(key.reference, key.wrongCredentials, resolved);
      const failed = { cause: 'credential', code: 'keystore_auth_failed' };
      expect(refusal(await root.unwrap(blob, BINDING, call()))).toEqual(failed);
      expect(refusal(await root.wrap(randomBytes(32), BINDING, call()))).toEqual(failed);
      expect(refusal(await root.resolve(call()))).toEqual(failed);
    });

    it('says indeterminate when nobody listens', async () => {
      const { key, blob, resolved } = await wrapped();
      const gone = await startFaultyServer(null);
      await gone.close();
      const root = await open(bench.at(key.reference, gone.url), key.credentials, resolved);
      const answer = await root.unwrap(blob, BINDING, call());
      expect(refusal(answer)).toEqual({ cause: 'indeterminate', code: 'root_key_unreachable' });
    });

    it('says throttled, indeterminate, to a 429', async () => {
      const { key, blob, resolved } = await wrapped();
      const double = await startFaultyServer(bench.throttled);
      try {
        const root = await open(bench.at(key.reference, double.url), key.credentials, resolved);
        expect(refusal(await root.unwrap(blob, BINDING, call()))).toEqual({
          cause: 'indeterminate',
          code: 'root_key_throttled',
        });
      } finally {
        await double.close();
      }
    });

    const html = '<html>proxy</html>';
    const faults: { readonly [what: string]: Fault } = {
      'an error of a proxy (401)': httpAnswer('401 Unauthorized', html),
      'an error of a proxy (403)': httpAnswer('403 Forbidden', html),
      'an error of a proxy (404)': httpAnswer('404 Not Found', html),
      'an error of a proxy (410)': httpAnswer('410 Gone', html),
      'a server error (500)': httpAnswer('500 Internal Server Error', '{}'),
      'a gateway error (502)': httpAnswer('502 Bad Gateway', html),
      'unavailable (503)': httpAnswer('503 Service Unavailable', ''),
      'a redirect': httpAnswer('307 Temporary Redirect', '', 'location: http://127.0.0.1:1/x\r\n'),
      'an empty success': httpAnswer('200 OK', ''),
      'a success that is no object': httpAnswer('200 OK', '[]'),
      'a success without its fields': httpAnswer('200 OK', '{"data":{},"version":"x"}'),
      'a success of a wrong shape': httpAnswer('200 OK', '{"plaintext":"AAAA","data":7}'),
      'a huge answer': httpAnswer('200 OK', `{"plaintext":"${'A'.repeat(200_000)}"}`),
      'a cut answer': 'HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{"plain',
      'no HTTP at all': '\u0000\u0001garbage\r\n\r\n',
      'a cut chunk':
        'HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n' +
        'transfer-encoding: chunked\r\n\r\n20\r\n{"plaintext":"AAAA',
      'a status and no more': 'HTTP/1.1 200 OK\r\n',
      'compressed bytes': httpAnswer(
        '200 OK',
        '\u001f\u008b\u0008{}',
        'content-encoding: gzip\r\n',
      ),
      'an upgrade': 'HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n',
      'a hang-up': '',
      ...ENDLESS,
    };
    it.each(Object.keys(faults))('proves nothing by %s', async (what) => {
      const { key, blob, resolved } = await wrapped();
      const double = await startFaultyServer(faults[what]!);
      try {
        const root = await open(bench.at(key.reference, double.url), key.credentials, resolved);
        for (const answer of [
          await root.unwrap(blob, BINDING, call()),
          await root.wrap(randomBytes(32), BINDING, call()),
          await root.resolve(call()),
        ])
          expect(answer).toMatchObject({ ok: false, cause: 'indeterminate' });
        expect(double.requests.length).toBeGreaterThan(0);
      } finally {
        await double.close();
      }
    });

    it('takes the word of nobody who calls it something else than JSON', async () => {
      const { key, blob, resolved } = await wrapped();
      const { status, body } = bench.refusal;
      const double = await startFaultyServer(httpAnswer(status, body, '', 'text/html'));
      try {
        const root = await open(bench.at(key.reference, double.url), key.credentials, resolved);
        const answer = await root.unwrap(blob, BINDING, call());
        expect(answer).toMatchObject({ ok: false, cause: 'indeterminate' });
      } finally {
        await double.close();
      }
    });

    it.each(Object.keys(SLOW))('does not wait for the end of %s', async (what) => {
      const { key, blob, resolved } = await wrapped();
      const double = await startFaultyServer(SLOW[what]!);
      try {
        const root = await open(bench.at(key.reference, double.url), key.credentials, resolved);
        const signal = AbortSignal.timeout(150);
        const answer = await root.unwrap(blob, BINDING, { ...call(), signal });
        expect(refusal(answer)).toEqual({ cause: 'indeterminate', code: 'root_key_unreachable' });
      } finally {
        await double.close();
      }
    });

    it('proves nothing where TLS fails, and sends nothing there', async () => {
      const { key, blob, resolved } = await wrapped();
      // Loaded where it is used: most of what imports this room needs no certificates.
      const { TestAuthority } = await import('./tls/index.js');
      const authority = await TestAuthority.create('somebody');
      const { certificate, privateKey } = await authority.server();
      const requests: string[] = [];
      const stranger = createTlsServer({ cert: certificate, key: privateKey }, (socket) =>
        socket.on('data', (data) => requests.push(String(data))),
      );
      await new Promise<void>((done) => stranger.listen(0, '127.0.0.1', done));
      const plain = await startFaultyServer(httpAnswer('200 OK', '{}'));
      try {
        const { port } = stranger.address() as AddressInfo;
        for (const url of [`https://127.0.0.1:${port}`, plain.url.replace('http:', 'https:')]) {
          const root = await open(bench.at(key.reference, url), key.credentials, resolved);
          const answer = await root.unwrap(blob, BINDING, call());
          expect(refusal(answer)).toEqual({ cause: 'indeterminate', code: 'root_key_unreachable' });
        }
        expect(requests).toEqual([]);
      } finally {
        stranger.close();
        await plain.close();
      }
    });

    it('gives up on a keystore that never answers, and when its caller does', async () => {
      const { key, blob, resolved } = await wrapped();
      const double = await startFaultyServer(null);
      try {
        const root = await open(bench.at(key.reference, double.url), key.credentials, resolved);
        const signal = AbortSignal.timeout(50);
        const answers = await Promise.all([
          root.unwrap(blob, BINDING, call()),
          root.unwrap(blob, BINDING, { ...call(), signal }),
        ]);
        for (const answer of answers)
          expect(refusal(answer)).toEqual({ cause: 'indeterminate', code: 'root_key_unreachable' });
      } finally {
        await double.close();
      }
    }, 20_000);

    it('puts our call id into the customer’s audit log and tells its request id', async () => {
      const { key, root, seed, blob } = await wrapped();
      const calls = { wrap: call(), unwrap: call(), refused: call() };
      const answers = {
        wrap: await root.wrap(seed, BINDING, calls.wrap),
        unwrap: await root.unwrap(blob, BINDING, calls.unwrap),
      };
      await key.withdraw();
      const refused = await root.unwrap(blob, BINDING, calls.refused);
      const log = await bench.audit();
      const idsOf = ({ callId }: { callId: string }) =>
        log.filter((line) => line.callId === callId).map((line) => line.requestId);
      expect(idsOf(calls.wrap)).toContain(answers.wrap.providerRequestId);
      expect(idsOf(calls.unwrap)).toContain(answers.unwrap.providerRequestId);
      expect(idsOf(calls.refused)).not.toEqual([]);
      if (refused.providerRequestId !== null)
        expect(idsOf(calls.refused)).toContain(refused.providerRequestId);
    });

    it('names every wrong field at once and opens nothing on them', async () => {
      const key = await bench.newKey();
      const wrong = { ...bench.at(key.reference, 'ftp://x/'), key: '../../sys', extra: 'x' };
      const errors = bench.driver.check(wrong, { token: 'a b' });
      expect(errors.map(({ path }) => path).sort()).toEqual(
        expect.arrayContaining(['credentials.token', 'reference.extra', 'reference.key']),
      );
      expect(errors.length).toBe(4);
      await expect(bench.driver.open(wrong, {})).rejects.toMatchObject({ code: 'invalid_request' });
      expect(bench.driver.check(key.reference, key.credentials)).toEqual([]);
    });

    it('refuses an address that the operator does not allow before it connects', async () => {
      const key = await bench.newKey();
      for (const url of ['http://169.254.169.254/', 'https://10.0.0.1/', 'https://[fd00::1]/'])
        await expect(
          bench.driver.open(bench.at(key.reference, url), key.credentials),
        ).rejects.toMatchObject({ code: 'keystore_address_refused', step: 'network' });
    });
  });
}
