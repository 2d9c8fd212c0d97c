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
import { systemClock } from '@kcm/kernel';
import type { Surroundings } from '@kcm/platform';
import { type Standalone, startStandalone } from './standalone.js';

interface Answer {
  readonly code?: string;
  readonly shares?: string[];
  readonly errors?: { readonly path: string }[];
}

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
  const start = async (more: NodeJS.ProcessEnv = {}, surroundings: Surroundings = {}) => {
    const env = {
      KCM_DATA_DIR: folder,
      KCM_HTTP_PORT: '0',
      KCM_KMIP_PORT: '0',
      KCM_LOG_LEVEL: 'fatal',
      ...more,
    };
    return (running = await startStandalone(env, surroundings));
  };
  /** As the operator. */
  const post = async (path: string, body: object) => {
    const authorization = `Bearer ${readFileSync(join(folder, 'operator-token'), 'utf8').trim()}`;
    const headers = { authorization, 'content-type': 'application/json' };
    const init = { method: 'POST', headers, body: JSON.stringify(body) };
    const answer = await fetch(`${running!.http}${path}`, init);
    const said = (await answer.json()) as Answer;
    return { status: answer.status, retryAfter: answer.headers.get('retry-after'), ...said };
  };
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

  it('takes no share for a quarter of an hour after ten wrong ones, then none of before', async () => {
    let slept = 0;
    const clock = { ...systemClock, monotonicMs: () => systemClock.monotonicMs() + slept };
    await start({ KCM_SEAL: 'shamir' }, { clock });
    const { shares } = await post('/v1/sys/init', { shares: 3, threshold: 2 });
    const unseal = (share: string) => post('/v1/sys/unseal', { share });
    expect(await unseal(shares![0]!)).toMatchObject({ status: 200, provided: 1 });
    for (let i = 0; i < 10; i += 1)
      expect(await unseal('kcms1-wrong')).toMatchObject({ status: 400, code: 'share_refused' });
    const { status, code, retryAfter } = await unseal(shares![1]!);
    expect([status, code]).toEqual([429, 'rate_limited']);
    expect(Number(retryAfter)).toBeGreaterThan(890);
    expect(Number(retryAfter)).toBeLessThanOrEqual(900);
    slept = 900_000;
    expect(await unseal(shares![1]!)).toMatchObject({ status: 200, sealed: true, provided: 1 });
    expect(await unseal(shares![2]!)).toMatchObject({ status: 200, sealed: false });
  });

  it('refuses by field what no seal can be made of', async () => {
    await start({ KCM_SEAL: 'shamir' });
    const age = `age1${'q'.repeat(58)}`;
    const wrong: [object, string[]][] = [
      [{ shares: 3, threshold: 4 }, ['threshold']],
      [{ shares: 256, threshold: 2 }, ['shares']],
      [{ shares: 0, threshold: 0 }, ['shares', 'threshold']],
      [{ shares: 1, threshold: 1 }, ['shares', 'threshold']],
      [{ shares: 3, threshold: 2, recipients: [null, null] }, ['recipients']],
      [{ shares: 2, threshold: 2, recipients: ['anna', age] }, ['recipients.0', 'recipients.1']],
      [{ shares: 2, threshold: 2, recipients: [7, ''] }, ['recipients.0', 'recipients.1']],
    ];
    for (const [body, paths] of wrong) {
      const { status, code, errors } = await post('/v1/sys/init', body);
      expect([status, code]).toEqual([400, 'invalid_request']);
      expect(errors?.map(({ path }) => path)).toEqual(paths);
    }
    expect(await post('/v1/sys/init', { shares: 2, threshold: 2 })).toMatchObject({ status: 200 });
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
