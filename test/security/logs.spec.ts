import { execFileSync, spawn } from 'node:child_process';
import { closeSync, constants, existsSync, openSync, readFileSync, readSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { connect as connectTls } from 'node:tls';
import { jest } from '@jest/globals';
import { TestAuthority } from '@kcm/testing/tls';
import {
  EdgeProcess,
  Keystore,
  onboard,
  Region,
  runToEnd,
  Stage,
  type Tenant,
  until,
} from '../support/index.js';

jest.setTimeout(60_000);

/** What a caller would make lines, colours or another entry of. */
const HOSTILE = [
  '\r\n{"level":30,"msg":"forged"}',
  '\n{"level":30,"msg":"forged"}',
  '\u001b[2J\u001b[31mforged',
  '\u009b31mforged',
  '\u2028{"level":30,"msg":"forged"}',
  '\u202eforged',
  '\u0000forged',
  '"},{"msg":"forged',
];
// Everything that is neither text nor the end of a line.
const UNPRINTABLE = /[\p{Cc}\p{Cf}\p{Cs}\p{Co}\u2028\u2029]/u;

interface Line {
  readonly level: number;
  readonly time: string;
  readonly msg: string;
  readonly correlationId?: string;
  readonly route?: string | null;
}

/** Of one process: its log, whole. @throws where a line is no entry */
function linesOf(text: string): readonly Line[] {
  return text
    .split('\n')
    .filter(Boolean)
    .map((line) => {
      expect(line).not.toMatch(UNPRINTABLE);
      const entry = JSON.parse(line) as Line;
      expect([typeof entry.level, typeof entry.msg, Date.parse(entry.time) > 0]).toEqual([
        'number',
        'string',
        true,
      ]);
      return entry;
    });
}

describe('The log', () => {
  const stage = new Stage();
  const region = new Region(stage, { services: 'billing', env: { KCM_LOG_LEVEL: 'debug' } });
  let keystore: Keystore;
  let edge: EdgeProcess;
  let tenant: Tenant;
  beforeAll(async () => {
    [keystore] = await Promise.all([Keystore.start(stage), region.start()]);
    tenant = await onboard(region, keystore, 'acme');
    edge = await EdgeProcess.start(stage, region, 'outside', ['billing']);
  });
  afterAll(() => stage.close());

  /** stderr: stdout has the welcome, above it. */
  const log = (): readonly Line[] => {
    const text = readFileSync(region.server.log, 'utf8');
    return linesOf(
      text
        .split('\n')
        .filter((line) => line.startsWith('{'))
        .join('\n'),
    );
  };
  /** Everything that the process wrote but the welcome is a line of the log. */
  const others = (): readonly string[] =>
    readFileSync(region.server.log, 'utf8')
      .split('\n')
      .filter((line) => line !== '' && !line.startsWith('{'));
  const raw = (host: string, port: number, bytes: Buffer): Promise<void> =>
    new Promise((resolve) => {
      const socket = connect(port, host, () => socket.end(bytes));
      socket.on('data', () => undefined);
      socket.on('error', () => undefined);
      socket.on('close', () => resolve());
    });

  it('has one entry a request, whatever was in it, and none that a caller wrote', async () => {
    const { hostname, port } = new URL(region.server.url);
    const welcome = others();
    const before = log().filter(({ msg }) => msg === 'http').length;
    let requests = 0;
    const ask = async (path: string, headers: Record<string, string>, body?: object) => {
      requests += 1;
      const { operator } = region;
      return operator.call(body === undefined ? 'GET' : 'POST', path, body, headers);
    };
    for (const evil of HOSTILE) {
      const coded = encodeURIComponent(evil);
      await ask(`/v1/tenants/${coded}`, {});
      await ask(`/${coded}`, {});
      await ask(`/%zz${coded}`, {});
      await ask(`/v1/tenants/${coded.padEnd(300, 'x')}/keys`, {});
      await ask(`/v1/tenants?limit=${coded}`, {});
      await ask('/v1/tenants', {}, { id: evil, name: evil });
      await ask('/v1/tenants/acme/revocations', {}, { kind: evil });
      // Node's own client sends no such header; a socket does.
      const head = [
        'GET /livez HTTP/1.1',
        'Host: x',
        `X-Correlation-Id: ${evil.replaceAll(/[\r\n]/g, '')}`,
        `User-Agent: ${evil.replaceAll(/[\r\n]/g, '')}`,
        'Connection: close',
      ];
      requests += 1;
      await raw(hostname, Number(port), Buffer.from(`${head.join('\r\n')}\r\n\r\n`, 'latin1'));
    }
    requests += 1;
    await raw(hostname, Number(port), Buffer.from(`GET /${HOSTILE.join('')} HTTP/1.1\r\n\r\n`));
    const written = () => log().filter(({ msg }) => msg === 'http').length - before;
    await until('the entry of the last', 5_000, () => written() >= requests || null);
    const entries = log();
    expect(others()).toEqual(welcome);
    expect(entries.filter(({ msg }) => msg.includes('forged'))).toEqual([]);
    const http = entries.filter(({ msg }) => msg === 'http');
    expect(http.length).toBe(before + requests);
    for (const { correlationId } of http) expect(correlationId).toMatch(/^[\w.:-]{1,128}$/);
    expect(JSON.stringify(http)).not.toContain('forged');
  });

  it('has a caller’s own correlation id on every entry of its request and of what it caused', async () => {
    const id = `corr-${Date.now()}`;
    const anna = await region.person('acme', 'anna', 'key-admin');
    const { items } = await anna.read<{ items: { id: string; level: string }[] }>(
      '/v1/tenants/acme/keys',
    );
    const l2 = items.find(({ level }) => level === 'L2')!.id;
    await keystore.program.stop();
    const headers = { 'X-Correlation-Id': id, Prefer: 'wait=0' };
    await anna.post(`/v1/tenants/acme/keys/${l2}/rotate`, {}, headers);
    const mine = () => log().filter(({ correlationId }) => correlationId === id);
    await until('what it caused', 10_000, () => mine().length > 1 || null);
    expect(mine().map(({ msg }) => msg)).toEqual(
      expect.arrayContaining(['http', 'a step of a process is tried again']),
    );
    expect(readFileSync(region.server.log, 'utf8')).not.toContain(tenant.key.token);
  });

  it('is none of what a stranger’s certificate calls itself at the KMIP door', async () => {
    const before = log().length;
    const welcome = others();
    const authority = await TestAuthority.create();
    const [host = '', port = ''] = region.kmip!.split(':');
    for (const evil of ['kcm://tenant/a%0d%0aforged/service/b', 'kcm://x\u2028forged']) {
      const stranger = await authority.issue([{ type: 'url', value: evil }]);
      await new Promise<void>((resolve) => {
        const { certificate: cert, privateKey: key, ca } = stranger;
        const socket = connectTls({
          host,
          port: Number(port),
          cert,
          key,
          ca,
          rejectUnauthorized: false,
        });
        socket.on('error', () => undefined);
        socket.on('close', () => resolve());
        setTimeout(() => socket.destroy(), 500);
      });
    }
    expect(others()).toEqual(welcome);
    expect(log().length).toBeGreaterThanOrEqual(before);
  });

  it('of an Edge alone is the same: each line an entry, whatever a workload sends', async () => {
    const client = edge.client('billing');
    for (const evil of HOSTILE) await client.encrypt(encodeURIComponent(evil), evil);
    const whole = readFileSync(stage.path('logs', 'edge-outside.log'), 'utf8').split('\n');
    const lines = whole.filter((line) => line !== '' && !line.startsWith('{"edgeSockets"'));
    const entries = linesOf(lines.join('\n'));
    expect(entries.map(({ msg }) => msg)).toEqual(expect.arrayContaining(['core-connected']));
    expect(JSON.stringify(entries)).not.toContain('forged');
  });
});

describe('A log that takes nothing', () => {
  it('stops nobody: a server whose log is on a full disk answers', async () => {
    const stage = new Stage();
    const data = stage.path('data');
    const full = openSync('/dev/full', 'w');
    const child = spawn(process.execPath, ['dist/apps/standalone/main.js'], {
      env: { KCM_DATA_DIR: data, KCM_HTTP_PORT: '0', KCM_KMIP_PORT: '0' },
      stdio: ['ignore', 'ignore', full],
    });
    stage.atEnd(() => child.kill('SIGKILL'));
    try {
      const file = join(data, 'endpoints.json');
      await until('its endpoints', 20_000, () => existsSync(file) || null);
      const { http } = JSON.parse(readFileSync(file, 'utf8')) as { http: string };
      for (let asked = 0; asked < 5; asked += 1)
        expect((await fetch(`${http}/readyz`)).status).toBe(200);
      expect(child.exitCode).toBeNull();
    } finally {
      await stage.close();
      closeSync(full);
    }
  });
});

describe('A log whose reader stands still', () => {
  it('stops nobody: a server answers on, and says how much was lost when it is read again', async () => {
    const stage = new Stage();
    const pipe = stage.path('log');
    execFileSync('mkfifo', [pipe]);
    const reader = openSync(pipe, constants.O_RDONLY | constants.O_NONBLOCK);
    const writer = openSync(pipe, 'w');
    const data = stage.path('data');
    const child = spawn(process.execPath, ['dist/apps/standalone/main.js'], {
      env: { KCM_DATA_DIR: data, KCM_HTTP_PORT: '0', KCM_KMIP_PORT: '0' },
      stdio: ['ignore', 'ignore', writer],
    });
    closeSync(writer);
    stage.atEnd(() => child.kill('SIGKILL'));
    try {
      const file = join(data, 'endpoints.json');
      await until('its endpoints', 20_000, () => existsSync(file) || null);
      const { http } = JSON.parse(readFileSync(file, 'utf8')) as { http: string };
      // Each of them is a line: more than the pipe holds, and more than may wait.
      for (let asked = 0; asked < 900; asked += 1)
        await Promise.all(Array.from({ length: 10 }, () => fetch(`${http}/livez`)));
      const read = (): string => {
        const chunk = Buffer.alloc(1024 * 1024);
        try {
          return chunk.toString('utf8', 0, readSync(reader, chunk));
        } catch {
          return '';
        }
      };
      let text = '';
      await until('what was lost', 10_000, async () => {
        text += read();
        expect((await fetch(`${http}/livez`)).status).toBe(200);
        return text.includes('"lost":') || null;
      });
      linesOf(text.slice(0, text.lastIndexOf('\n')));
    } finally {
      await stage.close();
      closeSync(reader);
    }
  });
});

describe('The terminal', () => {
  it('obeys nothing that was typed or that a server says', async () => {
    const evil = '\u001b]0;forged\u0007\u009b31m\u2028';
    for (const args of [[evil], ['tenant', 'show', evil], ['status', `--${evil}`]]) {
      const { stdout, stderr } = await runToEnd('cli', args, {
        KCM_URL: `http://127.0.0.1:9/${evil}`,
      });
      for (const text of [stdout, stderr])
        expect(text.replaceAll('\n', '')).not.toMatch(UNPRINTABLE);
    }
    const started = await runToEnd('standalone', [], {
      KCM_REGION: evil,
      KCM_DATA_DIR: `/nowhere${evil}`,
    });
    expect(started.code).toBe(2);
    expect(started.stderr.replaceAll('\n', '')).not.toMatch(UNPRINTABLE);
    const alone = await runToEnd('edge', [], { KCM_CORE: evil, KCM_TLS_CERT: evil });
    expect(alone.stderr.replaceAll('\n', '')).not.toMatch(UNPRINTABLE);
  });
});
