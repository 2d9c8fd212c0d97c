import { chmodSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { edgeFindings } from '../../apps/cli/doctor/edge.js';
import { kcmProgram } from '../../apps/cli/kcm-program.js';
import { type Standalone, startStandalone } from '../../apps/standalone/standalone.js';

interface Found {
  readonly level: string;
  readonly part: string;
  readonly next: string | null;
}

describe('kcm doctor', () => {
  let folder: string;
  let running: Standalone | null;
  const environment = { ...process.env };
  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), 'kcm-doctor-'));
    running = await startStandalone({
      KCM_DATA_DIR: folder,
      KCM_HTTP_PORT: '0',
      KCM_KMIP_PORT: '0',
      KCM_LOG_LEVEL: 'fatal',
    });
    // An Edge that has just begun has not heard of Core yet, and says so.
    for (const [service, path] of Object.entries(running.edgeSockets))
      while (wrong(await edgeFindings(service, path)).length > 0) await sleep(20);
    process.env['KCM_DATA_DIR'] = folder;
    for (const name of ['KCM_URL', 'KCM_TOKEN', 'KCM_TOKEN_FILE']) delete process.env[name];
  });
  afterEach(async () => {
    await running?.stop();
    rmSync(folder, { recursive: true });
    process.env = { ...environment };
  });

  /** The doctor in this process; stdout and the exit code are taken, and put back. */
  async function doctor(): Promise<{ code: number; found: Found[] }> {
    let text = '';
    const write = process.stdout.write.bind(process.stdout);
    const code = process.exitCode;
    process.stdout.write = (chunk) => (text += String(chunk)) !== '';
    try {
      await kcmProgram().parseAsync(['node', 'kcm', 'doctor', '--json']);
      return { code: exitCode(), found: JSON.parse(text) as Found[] };
    } finally {
      process.stdout.write = write;
      process.exitCode = code;
    }
  }
  const exitCode = () => Number(process.exitCode);
  const wrong = (found: readonly Found[]) => found.filter(({ level }) => level === 'wrong');

  it('ends with 0 on a fresh set-up, and names what about it is trial-grade or degraded', async () => {
    const { code, found } = await doctor();
    expect(wrong(found)).toEqual([]);
    expect(code).toBe(0);
    expect(found).toMatchObject(
      expect.arrayContaining([
        expect.objectContaining({ level: 'trial-grade', part: 'seal' }),
        expect.objectContaining({ level: 'trial-grade', part: 'disk' }),
      ]) as object,
    );
  });

  it('ends with 1 where there is one copy of the erasure store, chosen so or not', async () => {
    await running!.stop();
    running = await startStandalone({
      KCM_DATA_DIR: folder,
      KCM_HTTP_PORT: '0',
      KCM_KMIP_PORT: '0',
      KCM_LOG_LEVEL: 'fatal',
      KCM_ERASURE: 'sqlite:',
    });
    const { code, found } = await doctor();
    expect(code).toBe(1);
    expect(wrong(found)).toContainEqual(
      expect.objectContaining({
        part: 'erasure-store',
        next: expect.stringContaining('KCM_ERASURE') as string,
      }),
    );
  });

  it('ends with 1 when something is wrong: a sealed region, a token that others may read', async () => {
    const path = join(folder, 'operator-token');
    const headers = { authorization: `Bearer ${readFileSync(path, 'utf8').trim()}` };
    await fetch(`${running!.http}/v1/sys/seal`, { method: 'POST', headers });
    chmodSync(path, 0o644);
    const { code, found } = await doctor();
    expect(code).toBe(1);
    expect(wrong(found)).toEqual(
      expect.arrayContaining([
        expect.objectContaining({ part: 'seal', next: 'kcm unseal --share -' }),
        expect.objectContaining({ part: path, next: `chmod go= ${path}` }),
      ]),
    );
  });

  it('ends with 1 when the server does not take the token', async () => {
    process.env['KCM_TOKEN'] = 'of-yesterday';
    const { code, found } = await doctor();
    expect([code, wrong(found).map(({ part }) => part)]).toEqual([1, ['token']]);
  });

  it('ends with 3 where no server runs, and still looks at the folder', async () => {
    await running!.stop();
    running = null;
    chmodSync(join(folder, 'unseal-key'), 0o604);
    const { code, found } = await doctor();
    expect(code).toBe(3);
    expect(wrong(found).map(({ part }) => part)).toEqual([join(folder, 'unseal-key'), 'server']);
  });
});
