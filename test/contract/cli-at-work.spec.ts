import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { stripVTControlCharacters } from 'node:util';
import { ended, removeFolder, runProgram, scratchFolder, Server } from '../support/server.js';

const MAIN = join(import.meta.dirname, '..', '..', 'dist', 'apps', 'cli', 'main.js');
/** Runs a program on a terminal so many columns wide, and says what it drew. */
const TERMINAL = `
import fcntl, os, pty, struct, sys, termios
child, fd = pty.fork()
if child == 0:
    fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack('HHHH', 40, int(sys.argv[1]), 0, 0))
    os.execvp(sys.argv[2], sys.argv[2:])
drawn = b''
while True:
    try: more = os.read(fd, 65536)
    except OSError: break
    if not more: break
    drawn += more
sys.stdout.buffer.write(drawn)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
`;
const NAME = '銀行🏦 \u202edrow';

interface Ended {
  readonly code: number | null;
  readonly out: string;
  readonly said: string;
}
interface Fed {
  readonly token?: string;
  readonly program?: readonly string[];
  readonly whenSaid?: readonly [needle: string, signal: NodeJS.Signals];
}

const folder = scratchFolder('cli-at-work');
const server = new Server(folder, { env: { KCM_LOG_LEVEL: 'fatal' } });
const bank = join(folder, 'bank');
const tokens = new Map<string, string>();
let keystore: ChildProcess;
beforeAll(async () => {
  await server.start();
  await server.must('POST', '/v1/tenants', {
    body: { id: 'acme', name: 'Acme', policy: { leaseSeconds: 10 } },
  });
  await server.must('POST', '/v1/tenants/acme/activate');
  const serve = ['dist/apps/keystore/main.js', '--data', bank, '--port', '0'];
  keystore = runProgram(serve, {}, join(folder, 'bank.log'));
  await server.until('the keystore', () => existsSync(join(bank, 'endpoint.json')));
  mkdirSync(join(folder, 'tokens'));
  for (const who of ['anna', 'boris']) {
    const file = join(folder, 'tokens', who);
    writeFileSync(file, await server.tokenFor('acme', ['tenant-admin', 'key-admin'], who));
    tokens.set(who, file);
  }
}, 60_000);
afterAll(async () => {
  keystore.kill();
  await ended(keystore);
  await server.stop();
  removeFolder(folder);
});

/** `kcm` on the server of this spec; without a token the operator's. */
function kcm(args: readonly string[], { token, program = [], whenSaid }: Fed = {}): Promise<Ended> {
  const words = [...program, process.execPath, MAIN, ...args];
  const child = spawn(words[0]!, words.slice(1), {
    env: {
      PATH: process.env['PATH'] ?? '',
      TERM: 'xterm',
      KCM_DATA_DIR: server.dataDir,
      ...(token === undefined ? {} : { KCM_TOKEN_FILE: tokens.get(token)! }),
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let [out, said] = ['', ''];
  child.stdout.on('data', (chunk) => (out += String(chunk)));
  child.stderr.on('data', (chunk) => {
    said += String(chunk);
    const [needle, signal] = whenSaid ?? [];
    if (needle !== undefined && said.includes(needle) && !child.killed) child.kill(signal);
  });
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code) => resolve({ code, out, said }));
  });
}
const onTerminal = (columns: number) => ['python3', '-c', TERMINAL, String(columns)];
const TIME_MAX = 30_000;

describe('kcm with a server', () => {
  it(
    'ends with 0 when it is done: ids alone with --quiet, one document with --json',
    async () => {
      const made = await kcm(['tenant', 'create', 'globex', '--name', NAME, '--quiet']);
      expect(made).toEqual({ code: 0, out: 'globex\n', said: '' });
      const ids = await kcm(['tenant', 'list', '--quiet']);
      expect(ids).toEqual({ code: 0, out: 'acme\nglobex\n', said: '' });
      const { code, out, said } = await kcm(['tenant', 'list', '--json']);
      expect({ code, said }).toEqual({ code: 0, said: '' });
      expect(JSON.parse(out)).toMatchObject([{ id: 'acme' }, { id: 'globex', name: NAME }]);
      expect(out).not.toContain('\u202e');
    },
    TIME_MAX,
  );

  it(
    'ends with 1 when it is refused, and says what to do next',
    async () => {
      const { code, out, said } = await kcm(['tenant', 'show', 'none']);
      expect({ code, out }).toEqual({ code: 1, out: '' });
      expect(said).toMatch(/^kcm: .+ \[not_found\]\nLook with the matching `list` command/);
    },
    TIME_MAX,
  );

  it(
    'fits a table to the terminal, obeys nothing that stands in a name, and leaves colour out where it is not wanted',
    async () => {
      const program = onTerminal(60);
      const { code, out } = await kcm(['tenant', 'list'], { program });
      expect(code).toBe(0);
      const lines = out.split('\r\n');
      expect(lines[0]).toContain('\u001b[1mid\u001b[22m');
      const bold = ['\u001b[1m', '\u001b[22m'];
      const unbold = bold.reduce((text, code) => text.replaceAll(code, ''), out);
      expect(unbold).not.toContain('\u001b');
      expect(out).toContain('銀行🏦');
      expect(out).toContain('\\u202edrow');
      expect(out).toMatch(/\(no room for [^)]+: --json has them\)/);
      expect(unbold.split('\r\n').filter((line) => line.length > 60)).toEqual([]);
      const plain = await kcm(['--no-color', 'tenant', 'list'], { program });
      expect(plain.out).not.toContain('\u001b');
    },
    TIME_MAX,
  );

  it(
    'shows on a terminal how far the proof of a root key came',
    async () => {
      const made = await kcm(['keystore', 'create', 'acme', '--data', bank, '--json']);
      const { token } = JSON.parse(made.out) as { token: string };
      const { url } = JSON.parse(readFileSync(join(bank, 'endpoint.json'), 'utf8')) as {
        url: string;
      };
      const words = ['rootkey', 'connect', '--tenant', 'acme', '--keystore', 'software'];
      const reference = ['--reference', `url=${url}`, 'key=acme'];
      const connect = (given: string) => [...words, ...reference, '--credential', `token=${given}`];
      const wrong = { token: 'anna', program: onTerminal(90) };
      const refused = await kcm(connect('wrong'), wrong);
      expect(refused.code).toBe(1);
      const drawn = stripVTControlCharacters(refused.out);
      expect(drawn).toContain('✔ The keystore is reached');
      expect(drawn).toContain('✖ It accepts our credentials');
      expect(drawn).not.toContain('✔ It knows the key');
      const right = await kcm(connect(token), { token: 'anna' });
      expect(right).toMatchObject({ code: 0, out: expect.stringMatching(/^id +rk-/) as string });
    },
    TIME_MAX,
  );

  it(
    'shows on a terminal how work goes that takes long',
    async () => {
      const program = onTerminal(90);
      const { code, out } = await kcm(['projection', 'rebuild', 'tenants'], { program });
      expect(code).toBe(0);
      expect(out).toContain('Replaying tenants from the first event');
    },
    TIME_MAX,
  );

  it(
    'shows how many holders have acknowledged, and with --json nothing but the result',
    async () => {
      const words = ['--tenant', 'acme', '--kind', 'suspend', '--reason', 'incident', '--wait'];
      const create = ['revocation', 'create', ...words];
      const made = await kcm([...create, '--json'], { token: 'anna' });
      expect(made).toMatchObject({ code: 0, said: '' });
      const { id, stage } = JSON.parse(made.out) as { id: string; stage: string };
      expect(stage).toBe('locked');
      const release = ['revocation', 'release', id, '--tenant', 'acme'];
      expect(await kcm(release, { token: 'boris' })).toMatchObject({ code: 0 });
      const shown = await kcm(create, { token: 'anna', program: onTerminal(90) });
      expect(shown.code).toBe(0);
      expect(stripVTControlCharacters(shown.out)).toMatch(/(\d) of \1 have acknowledged/);
    },
    TIME_MAX,
  );

  it(
    'ends with 4 when the work goes on, and says how to wait for it',
    async () => {
      const words = ['service', 'map', 'billing', '--tenant', 'acme', '--json'];
      const { code, out, said } = await kcm(words, { token: 'anna' });
      expect(code).toBe(4);
      expect(JSON.parse(out)).toMatchObject({ id: 'billing' });
      expect(said).toMatch(/^Still at work\. To wait for it: kcm operation wait [\w-]+\n$/);
      const id = said.trim().split(' ').at(-1)!;
      const wait = ['operation', 'wait', id];
      const left = await kcm(wait, { token: 'anna', whenSaid: [id, 'SIGINT'] });
      expect(left).toMatchObject({ code: 4, out: '' });
      expect(left.said).toContain(`Still at work. To go on waiting: kcm operation wait ${id}`);
      const [revocation] = JSON.parse(
        (await kcm(['revocation', 'list', '--tenant', 'acme', '--json'], { token: 'anna' })).out,
      ) as { id: string }[];
      const release = ['revocation', 'release', revocation!.id, '--tenant', 'acme', '--quiet'];
      expect(await kcm(release, { token: 'anna' })).toMatchObject({ code: 1 });
      expect(await kcm(release, { token: 'boris' })).toMatchObject({
        code: 0,
        out: `${revocation!.id}\n`,
      });
    },
    TIME_MAX,
  );

  it(
    'ends with 4 when others have to approve',
    async () => {
      const kill = ['--tenant', 'acme', '--kind', 'kill', '--reason', 'offboarding', '--quiet'];
      const { out } = await kcm(['revocation', 'create', ...kill], { token: 'anna' });
      const release = ['revocation', 'release', out.trim(), '--tenant', 'acme'];
      const { code, said } = await kcm(release, { token: 'boris' });
      expect(code).toBe(4);
      expect(said).toContain('[approval_required]');
    },
    TIME_MAX,
  );
});
