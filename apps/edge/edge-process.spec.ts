import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type AddressInfo, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type KcmError, LIMITS } from '@kcm/kernel';
import { askSocket, KmipPeer } from '@kcm/testing/edge';
import { TestAuthority, type TestCertificate } from '@kcm/testing/tls';
import { readConfig } from './config.js';
import { CertificateFiles } from './reload.js';
import { runEdge } from './run.js';
import { edgeIdentity } from './tls.js';

let authority: TestAuthority;
let certificate: TestCertificate;
let folder: string;
beforeAll(async () => {
  authority = await TestAuthority.create();
  certificate = await authority.edge('e1');
});
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'kcm-run-'));
});
afterEach(() => {
  rmSync(folder, { recursive: true });
});

const environment = (more: Record<string, string> = {}): Record<string, string> => ({
  KCM_CORE: '127.0.0.1:5696',
  KCM_TLS_CERT: certificate.certificate,
  KCM_TLS_KEY: certificate.privateKey,
  KCM_TLS_CA: certificate.ca,
  KCM_DATA_DIR: folder,
  ...more,
});
function wrongOf(env: Record<string, string>): string[] {
  try {
    readConfig(env);
    return [];
  } catch (error) {
    return (error as KcmError).errors.map(({ path, code }) => `${path} ${code}`).sort();
  }
}

describe('The configuration of an Edge', () => {
  it('names everything that is missing at once', () => {
    expect(wrongOf({})).toEqual([
      'KCM_CORE required',
      'KCM_TLS_CA required',
      'KCM_TLS_CERT required',
      'KCM_TLS_KEY required',
    ]);
  });

  it('names everything that is wrong at once', () => {
    const wrong = environment({
      KCM_CORE: 'core',
      KCM_TLS_CERT: join(folder, 'nowhere.pem'),
      KCM_TLS_KEY: certificate.certificate,
      KCM_EDGE_SERVICES: 'billing,Mail',
      KCM_REGION: 'EU',
      KCM_EDGE_PORT: '8443',
      KCM_MESSAGING: 'redis://localhost:9092',
      KCM_MESSAGING_CA: certificate.privateKey,
    });
    expect(wrongOf(wrong)).toEqual([
      'KCM_CORE invalid',
      'KCM_EDGE_PORT not_built',
      'KCM_EDGE_SERVICES invalid',
      'KCM_MESSAGING invalid',
      'KCM_MESSAGING_CA invalid',
      'KCM_REGION invalid',
      'KCM_TLS_CERT unreadable',
      'KCM_TLS_KEY invalid',
    ]);
  });

  it('refuses a socket path that the system does not allow, by its name', () => {
    expect(wrongOf(environment({ KCM_DATA_DIR: `/tmp/${'d'.repeat(120)}` }))).toEqual([
      'KCM_DATA_DIR too_long',
    ]);
  });

  it('reads a secret from a file, whichever way it is named, and refuses both at once', () => {
    const path = join(folder, 'key.pem');
    writeFileSync(path, certificate.privateKey);
    const { KCM_TLS_KEY: _key, ...others } = environment();
    expect(readConfig({ ...others, KCM_TLS_KEY_FILE: path }).privateKey).toContain('PRIVATE KEY');
    expect(readConfig({ ...others, KCM_TLS_KEY: path }).privateKey).toContain('PRIVATE KEY');
    expect(wrongOf(environment({ KCM_TLS_KEY_FILE: path }))).toEqual(['KCM_TLS_KEY ambiguous']);
    expect(wrongOf({ ...others, KCM_TLS_KEY_FILE: `${path}x` })).toEqual([
      'KCM_TLS_KEY_FILE unreadable',
    ]);
  });

  it('takes where messages are, with certificates that belong to it', () => {
    const url = 'kafka://core:secret@localhost:9092';
    const path = join(folder, 'messaging');
    writeFileSync(path, `${url}\n`);
    expect(readConfig(environment()).messaging).toBeNull();
    const ca = certificate.ca;
    expect(
      readConfig(environment({ KCM_MESSAGING_FILE: path, KCM_MESSAGING_CA: ca })).messaging,
    ).toEqual({ url, ca, certificate: undefined, privateKey: undefined });
    expect(wrongOf(environment({ KCM_MESSAGING_CA: ca }))).toEqual(['KCM_MESSAGING required']);
  });

  it('takes an IPv6 address for Core', () => {
    expect(readConfig(environment({ KCM_CORE: '[::1]:5696' }))).toMatchObject({
      coreHost: '::1',
      corePort: 5696,
      services: ['default'],
      region: null,
    });
  });
});

describe('An Edge’s certificate', () => {
  const now = Date.now();
  it('says who the Edge is', () => {
    expect(edgeIdentity(certificate.certificate, certificate.privateKey, now)).toEqual({
      edge: 'e1',
      region: 'local',
    });
  });

  it('is refused when it is a workload’s, expired, or has another key', async () => {
    const workload = await authority.workload('acme', 'billing');
    const uri = { type: 'url', value: 'kcm://region/local/edge/e1' } as const;
    const expired = await authority.issue([uri], now - 1_000);
    for (const [pem, key, detail] of [
      [workload.certificate, workload.privateKey, /kcm:\/\/region/],
      [expired.certificate, expired.privateKey, /expired/],
      [certificate.certificate, workload.privateKey, /does not belong/],
      ['-----BEGIN CERTIFICATE-----', certificate.privateKey, /cannot be read/],
    ] as const)
      expect(() => edgeIdentity(pem, key, now)).toThrow(detail);
  });
});

describe('Certificate files that are read again', () => {
  let files: Record<'KCM_TLS_CERT' | 'KCM_TLS_KEY' | 'KCM_TLS_CA', string>;
  let renewed: string[];
  let said: string[];
  let reloading: CertificateFiles;
  const write = (next: { certificate: string; privateKey: string; ca?: string }): void => {
    writeFileSync(files.KCM_TLS_CERT, next.certificate);
    writeFileSync(files.KCM_TLS_KEY, next.privateKey);
    writeFileSync(files.KCM_TLS_CA, next.ca ?? certificate.ca);
  };
  beforeEach(() => {
    const at = (name: string) => join(folder, name);
    files = { KCM_TLS_CERT: at('c.pem'), KCM_TLS_KEY: at('k.pem'), KCM_TLS_CA: at('ca.pem') };
    renewed = [];
    said = [];
    write(certificate);
    const env = environment(files);
    reloading = new CertificateFiles(
      env,
      { renew: (next) => renewed.push(next.certificate) },
      readConfig(env),
      (level, msg, fields) => said.push([level, msg, fields?.['detail'] ?? ''].join(' ').trim()),
    );
  });

  it('are used when they are whole and of this Edge', async () => {
    reloading.reload();
    expect(said).toEqual(['info certificate-unchanged']);
    const next = await authority.edge('e1');
    write(next);
    reloading.reload();
    reloading.reload();
    expect(renewed).toEqual([next.certificate.trim()]);
    expect(said.slice(1)).toEqual(['info certificate-reloaded', 'info certificate-unchanged']);
  });

  it('change nothing when they are not, and it is told what is wrong', async () => {
    const [next, other, foreign] = await Promise.all([
      authority.edge('e1'),
      authority.edge('e2'),
      TestAuthority.create().then((another) => another.edge('e1')),
    ]);
    const expired = await authority.issue(
      [{ type: 'url', value: 'kcm://region/local/edge/e1' }],
      Date.now() - 1_000,
    );
    for (const [wrong, detail] of [
      [{ ...next, privateKey: certificate.privateKey }, /KCM_TLS_KEY: does not belong/],
      [{ ...next, certificate: '' }, /KCM_TLS_CERT/],
      [{ ...next, certificate: next.certificate.slice(0, 200) }, /KCM_TLS_CERT: cannot be read/],
      [other, /is of Edge e2 in region local; this is e1/],
      [{ ...foreign, ca: certificate.ca }, /KCM_TLS_CERT: is not of the authority/],
      [{ ...next, ca: 'none' }, /KCM_TLS_CA/],
      [expired, /KCM_TLS_CERT: expired/],
    ] as const) {
      write(wrong);
      reloading.reload();
      expect(said.at(-1)).toMatch(/^error certificate-not-reloaded/);
      expect(said.at(-1)).toMatch(detail);
      expect(said.at(-1)).not.toMatch(/PRIVATE KEY/);
    }
    rmSync(files.KCM_TLS_KEY);
    reloading.reload();
    expect(said.at(-1)).toMatch(/KCM_TLS_KEY/);
    expect(renewed).toEqual([]);
  });
});

describe('The process', () => {
  it('says where it listens, waits for Core aloud, serves, and leaves nothing behind', async () => {
    const peer = await KmipPeer.listen(authority, certificate.certificate);
    peer.core.add('acme', 'default');
    const { port } = peer;
    await peer.close();
    const out: string[] = [];
    const err: string[] = [];
    const edge = await runEdge(environment({ KCM_CORE: `127.0.0.1:${port}` }), {
      out: (line) => out.push(line),
      err: (line) => err.push(line),
    });
    const socket = join(folder, 'edge', 'default.sock');
    const endpoints = join(folder, 'endpoints.json');
    expect(out.map((line) => JSON.parse(line) as object)).toEqual([
      { edgeSockets: { default: socket }, edge: 'e1', region: 'local' },
    ]);
    expect(JSON.parse(readFileSync(endpoints, 'utf8'))).toEqual({
      edgeSockets: { default: socket },
    });
    while (!err.some((line) => line.includes('core-unreachable')))
      await new Promise((resolve) => setTimeout(resolve, 5));
    await peer.restart(port);
    const ask = () => askSocket(socket, 'POST', '/v1/tenants/acme/encrypt', { plaintext: 'eA==' });
    while ((await ask()).status !== 200) await new Promise((resolve) => setTimeout(resolve, 10));
    expect(err.some((line) => line.includes('core-connected'))).toBe(true);
    expect(err.filter((line) => line.includes('core-unreachable')).length).toBeLessThan(3);
    await edge.stop();
    await peer.close();
    expect(existsSync(endpoints)).toBe(false);
    expect(existsSync(socket)).toBe(false);
  });

  it('stops without waiting for brokers that never answer', async () => {
    const sockets = new Set<Socket>();
    const hole = createServer((socket) => {
      sockets.add(socket.on('error', () => undefined));
    });
    await new Promise<void>((resolve) => hole.listen(0, '127.0.0.1', resolve));
    const { port } = hole.address() as AddressInfo;
    const edge = await runEdge(environment({ KCM_MESSAGING: `kafka://127.0.0.1:${port}` }), {
      out: () => undefined,
      err: () => undefined,
    });
    while (sockets.size === 0) await new Promise((resolve) => setTimeout(resolve, 5));
    const begun = performance.now();
    const stopped = edge.stop().then(() => performance.now() - begun);
    while (existsSync(join(folder, 'edge', 'default.sock')))
      await new Promise((resolve) => setTimeout(resolve, 5));
    const closedMs = performance.now() - begun;
    const stoppedMs = await stopped;
    for (const socket of sockets) socket.destroy();
    hole.close();
    expect(closedMs).toBeLessThan(1_000);
    expect(stoppedMs).toBeLessThan(LIMITS.brokerLeaveMsMax + 4_000);
  }, 30_000);

  it('of another region than its certificate does not start', async () => {
    const console = { out: () => undefined, err: () => undefined };
    await expect(runEdge(environment({ KCM_REGION: 'eu' }), console)).rejects.toThrow(/region/);
    expect(existsSync(join(folder, 'edge'))).toBe(false);
  });
});
