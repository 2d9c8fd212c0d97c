import { spawn } from 'node:child_process';
import { appendFileSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { removeFolder, scratchFolder } from '../support/server.js';

const LOCK = join(import.meta.dirname, '..', '..', 'scripts', 'lib', 'lock.mjs');
const WORKERS = 8;

/** Enters, stays a moment, leaves; each is a line of one file. */
const WORK = `
  import { appendFileSync } from 'node:fs';
  import { setTimeout as sleep } from 'node:timers/promises';
  const { alone } = await import(process.argv[1]);
  const [, , folder, diary, stay] = process.argv;
  const say = (what) => appendFileSync(diary, what + ' ' + process.pid + '\\n');
  await alone(folder, async () => { say('in'); await sleep(Number(stay)); say('out'); });
`;

describe('What sets up a checkout', () => {
  let scratch: string;
  let locks: string;
  let diary: string;
  beforeEach(() => {
    scratch = scratchFolder('setup-lock');
    [locks, diary] = [join(scratch, 'lock'), join(scratch, 'diary')];
    mkdirSync(locks);
    writeFileSync(diary, '');
  });
  afterEach(() => removeFolder(scratch));

  const worker = (stayMs: number) =>
    spawn(
      process.execPath,
      ['--input-type=module', '-e', WORK, LOCK, locks, diary, String(stayMs)],
      { stdio: ['ignore', 'ignore', 'inherit'] },
    );
  const end = (child: ReturnType<typeof worker>) =>
    new Promise<number | null>((resolve) => child.on('exit', (code) => resolve(code)));
  const entries = () => readFileSync(diary, 'utf8').trim().split('\n');

  it('does it alone, however many begin at once', async () => {
    const codes = await Promise.all(Array.from({ length: WORKERS }, () => end(worker(20))));
    expect(codes).toEqual(Array(WORKERS).fill(0));
    const said = entries();
    expect(said).toHaveLength(2 * WORKERS);
    for (let at = 0; at < said.length; at += 2)
      expect(said[at + 1]).toBe(said[at]!.replace('in', 'out'));
    expect(readdirSync(locks)).toEqual([String(WORKERS)]);
  });

  it('passes over an owner that was killed, and one whose pid another process has now', async () => {
    const killed = worker(60_000);
    while (!entries().includes(`in ${killed.pid}`)) await new Promise((go) => setTimeout(go, 20));
    killed.kill('SIGKILL');
    await end(killed);
    expect(await end(worker(0))).toBe(0);
    const again = Math.max(...readdirSync(locks).map(Number)) + 1;
    writeFileSync(join(locks, String(again)), JSON.stringify({ pid: process.pid, began: '1' }));
    appendFileSync(diary, 'again\n');
    expect(await end(worker(0))).toBe(0);
    expect(entries().at(-1)).toMatch(/^out /);
  });
});
