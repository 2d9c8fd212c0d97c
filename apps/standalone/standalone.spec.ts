import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
} from 'node:fs';
import { type AddressInfo, connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Standalone, startStandalone } from './standalone.js';

describe('Standalone', () => {
  let folder: string;
  let running: Standalone | null;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'kcm-sa-'));
    running = null;
  });
  afterEach(async () => {
    await running?.stop();
    rmSync(folder, { recursive: true });
  });
  const start = async (more: NodeJS.ProcessEnv = {}) =>
    (running = await startStandalone({
      KCM_DATA_DIR: folder,
      KCM_HTTP_PORT: '0',
      KCM_KMIP_PORT: '0',
      KCM_LOG_LEVEL: 'fatal',
      ...more,
    }));
  const endpoints = () =>
    JSON.parse(readFileSync(join(folder, 'endpoints.json'), 'utf8')) as Record<string, unknown>;

  it('unseals itself, says where it answers, and leaves signals to its program', async () => {
    const before = ['SIGTERM', 'SIGINT'].map((signal) => process.listenerCount(signal));
    const { http } = await start();
    const after = ['SIGTERM', 'SIGINT'].map((signal) => process.listenerCount(signal));
    expect(after).toEqual(before);
    expect(endpoints()).toMatchObject({ http, kmip: expect.any(String) as string });
    expect((await fetch(`${http}/readyz`)).status).toBe(200);
  });

  it('names no door that a seal has closed', async () => {
    const { http } = await start();
    const token = readFileSync(join(folder, 'operator-token'), 'utf8').trim();
    const headers = { authorization: `Bearer ${token}` };
    const sealed = await fetch(`${http}/v1/sys/seal`, { method: 'POST', headers });
    expect(sealed.status).toBe(200);
    expect(endpoints()).not.toHaveProperty('kmip');
    expect(endpoints()).toMatchObject({ http });
  });

  it('stops so that nothing waits in a log beside a database, and starts again', async () => {
    await start();
    await running!.stop();
    expect(existsSync(join(folder, 'endpoints.json'))).toBe(false);
    expect(readdirSync(folder).filter((name) => /-(wal|shm|journal)$/.test(name))).toEqual([]);
    const { http } = await start();
    const status = (await (await fetch(`${http}/v1/sys/status`)).json()) as object;
    expect(status).toMatchObject({ initialized: true, sealed: false, seal: 'auto' });
  });

  it('keeps no file open when it fails to start, and says why', async () => {
    // No socket can have such a path.
    const long = join(folder, 'd'.repeat(120));
    mkdirSync(long, { mode: 0o700 });
    await expect(start({ KCM_DATA_DIR: long })).rejects.toThrow(/socket/);
    const taken = createServer();
    await new Promise<void>((resolve) => taken.listen(0, '127.0.0.1', resolve));
    const { port } = taken.address() as AddressInfo;
    await expect(start({ KCM_HTTP_PORT: String(port) })).rejects.toThrow(/EADDRINUSE/);
    taken.close();
    const open = readdirSync('/proc/self/fd').flatMap((fd) => {
      try {
        return [readlinkSync(join('/proc/self/fd', fd))];
      } catch {
        return [];
      }
    });
    expect(open.filter((file) => file.startsWith(folder))).toEqual([]);
  });

  it('stops though a request never ends', async () => {
    const { hostname, port } = new URL((await start()).http);
    const socket = connect(Number(port), hostname);
    await new Promise((sent) =>
      socket.write('POST /v1/tenants HTTP/1.1\r\nHost: k\r\nContent-Length: 9\r\n\r\n{', sent),
    );
    const closed = new Promise((resolve) => socket.once('close', resolve));
    socket.on('error', () => undefined).resume();
    await running!.stop();
    await closed;
  }, 10_000);

  it('with KCM_SEAL=shamir answers sealed and has neither KMIP nor an Edge', async () => {
    const { http } = await start({ KCM_SEAL: 'shamir' });
    expect(endpoints()).toEqual({ http });
    expect((await fetch(`${http}/readyz`)).status).toBe(503);
    const tenants = await fetch(`${http}/v1/tenants`);
    expect([tenants.status, ((await tenants.json()) as { code: string }).code]).toEqual([
      503,
      'sealed',
    ]);
  });

  it('answers problem+json with a correlation id, whatever came', async () => {
    const { http } = await start();
    const token = readFileSync(join(folder, 'operator-token'), 'utf8').trim();
    const authorization = `Bearer ${token}`;
    const json = { authorization, 'content-type': 'application/json' };
    const asked: [string, RequestInit][] = [
      ['/nowhere', {}],
      ['/v1/tenants/%zz', { headers: { authorization } }],
      [`/v1/tenants/${'a'.repeat(400)}`, { headers: { authorization } }],
      ['/v1/tenants', {}],
      ['/v1/tenants', { method: 'DELETE', headers: { authorization } }],
      ['/v1/tenants', { method: 'POST', headers: json, body: '{"id":' }],
      ['/v1/tenants', { method: 'POST', headers: json, body: '{"id":"a","name":"\\ud800"}' }],
      ['/v1/tenants', { method: 'POST', headers: json, body: '['.repeat(200_000) }],
      ['/v1/tenants', { method: 'POST', headers: json, body: ' '.repeat(2_000_000) }],
      ['/v1/tenants', { method: 'POST', headers: { authorization }, body: 'text' }],
      ['/v1/tenants/none/block', { method: 'POST', headers: { ...json, 'if-match': '"0"' } }],
    ];
    for (const [path, init] of asked) {
      const answer = await fetch(`${http}${path}`, init);
      const problem = (await answer.json()) as { status: number; correlationId: string };
      expect(answer.headers.get('content-type')).toContain('application/problem+json');
      expect(answer.status).toBeGreaterThanOrEqual(400);
      expect(answer.status).toBeLessThan(500);
      expect(problem.status).toBe(answer.status);
      expect(answer.headers.get('x-correlation-id')).toBe(problem.correlationId);
    }
  });

  it('an init over HTTP during its first start changes nothing', async () => {
    const port = await freePort();
    const asked: number[] = [];
    const started = new AbortController();
    const asking = (async () => {
      while (!started.signal.aborted) {
        await sleep(1);
        const file = join(folder, 'operator-token');
        const token = existsSync(file) ? readFileSync(file, 'utf8').trim() : '';
        const answer = await fetch(`http://127.0.0.1:${port}/v1/sys/init`, {
          method: 'POST',
          headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
          body: JSON.stringify({ shares: 3, threshold: 2 }),
        }).catch(() => null);
        if (answer !== null) asked.push(answer.status);
      }
    })();
    await start({ KCM_HTTP_PORT: String(port) });
    started.abort();
    await asking;
    expect(new Set(asked)).toEqual(new Set([409]));
    const key = readFileSync(join(folder, 'unseal-key'), 'utf8');
    await running!.stop();
    const { http } = await start();
    expect(await (await fetch(`${http}/v1/sys/status`)).json()).toMatchObject({ sealed: false });
    expect(readFileSync(join(folder, 'unseal-key'), 'utf8')).toBe(key);
  });
});

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}
