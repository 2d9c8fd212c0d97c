import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { EventStoreDouble } from '../support/eventstoredb-double.js';

interface Result {
  readonly passed: number;
  readonly failed: number;
  readonly missing: number;
  readonly engines: readonly {
    readonly engine: string;
    readonly address: string;
    readonly reached: boolean;
    readonly version: string | null;
    readonly standIn: boolean;
    readonly why?: string;
    readonly client: string;
    readonly suites: readonly { readonly passed: number; readonly missing: number }[];
  }[];
}

const ROOT = join(import.meta.dirname, '..', '..');
let folder: string;
beforeEach(() => (folder = mkdtempSync(join(tmpdir(), 'kcm-engines-'))));
afterEach(() => rmSync(folder, { recursive: true }));

/** Its exit code, all that it printed, and its result file. */
async function verify(urls: Record<string, string>) {
  const child = spawn(process.execPath, [join(ROOT, 'scripts', 'verify-engines.mjs'), folder], {
    env: { ...process.env, ...urls },
  });
  let told = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (some) => (told += some));
  const [code] = (await once(child, 'close')) as [number];
  const file = join(folder, 'result.json');
  const text = existsSync(file) ? readFileSync(file, 'utf8') : '{}';
  return { code, told: told + text, result: JSON.parse(text) as Result };
}

describe('npm run verify:engines', () => {
  it('runs the suites of each server that answers, and fails for those that do not, by name', async () => {
    const double = EventStoreDouble.begin();
    const store = await double.store();
    const { code, told, result } = await verify({
      EVENTSTORE_URL: store.url,
      MONGODB_URL: 'mongodb://anna:s3cret@127.0.0.1:1',
      KAFKA_URL: 'kafka://127.0.0.1:1',
    });
    await double.end();
    const [eventStore, ...others] = result.engines;
    expect(eventStore).toMatchObject({ reached: true, version: 'double', standIn: true });
    expect(eventStore!.suites).toMatchObject([{ missing: 0 }]);
    expect(eventStore!.suites[0]!.passed).toBeGreaterThan(30);
    const why = expect.stringContaining('ECONNREFUSED 127.0.0.1:1');
    const gone = { address: '127.0.0.1:1', reached: false, version: null, why };
    expect(others).toMatchObject([
      { engine: 'MongoDB', ...gone, client: 'mongodb 7.9.0' },
      { engine: 'Kafka', ...gone, client: 'kafkajs 2.2.4' },
    ]);
    const suites = others.flatMap((engine) => engine.suites);
    expect(suites.every(({ passed, missing }) => passed === 0 && missing > 0)).toBe(true);
    expect(result).toMatchObject({ passed: eventStore!.suites[0]!.passed, failed: 0, missing: 4 });
    expect(told).toContain('MongoDB at 127.0.0.1:1 (MONGODB_URL) was not reached');
    expect(told).not.toContain('s3cret');
    expect(code).toBe(1);
  }, 120_000);
});
