import { spawnSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { jest } from '@jest/globals';
import { ensureGpg } from '../../scripts/services/debian.mjs';
import { ensureRage } from '../../scripts/services/rage.mjs';
import { Region, Stage } from '../support/index.js';

jest.setTimeout(180_000);

/** Who holds a share, with a program that we did not write. */
interface Person {
  /** As `kcm init --recipient` takes it. */
  readonly recipient: string;
  open(armored: string): string;
}
/** Parameters of `gpg --generate-key`. */
const KEYS = {
  rsa3072: ['Key-Type: RSA', 'Key-Length: 3072', 'Subkey-Type: RSA', 'Subkey-Length: 3072'],
  cv25519: ['Key-Type: EdDSA', 'Key-Curve: ed25519', 'Subkey-Type: ECDH', 'Subkey-Curve: cv25519'],
  nistp384: [
    'Key-Type: ECDSA',
    'Key-Curve: nistp384',
    'Subkey-Type: ECDH',
    'Subkey-Curve: nistp384',
  ],
} as const;
function run(program: string, args: readonly string[], input: string, env: object): string {
  const done = spawnSync(program, args, { input, env: { ...process.env, ...env } });
  if (done.status !== 0) throw new Error(`${program}: ${String(done.error ?? done.stderr)}`);
  return String(done.stdout);
}

describe('Shares for their holders alone', () => {
  const stage = new Stage();
  const region = new Region(stage, { seal: 'shamir' });
  let people: Person[];

  beforeAll(async () => {
    const [gpg, rage] = await Promise.all([ensureGpg(), ensureRage(), region.start()]);
    people = [
      withGpg(gpg, 'rsa3072'),
      withRage(rage, 'one'),
      withGpg(gpg, 'cv25519'),
      withGpg(gpg, 'nistp384'),
      withRage(rage, 'other'),
    ];
  });
  afterAll(() => stage.close());

  function withGpg(gpg: Awaited<ReturnType<typeof ensureGpg>>, kind: keyof typeof KEYS): Person {
    const home = stage.path(`gpg-${kind}`);
    mkdirSync(home, { mode: 0o700 });
    const type = (args: readonly string[], input = '') =>
      run(gpg.program, [...gpg.args, '--batch', '--homedir', home, ...args], input, gpg.env);
    const id = `${kind}@bank.example`;
    const end = [`Name-Email: ${id}`, 'Expire-Date: 0', '%commit', ''];
    type(['--generate-key'], ['%no-protection', ...KEYS[kind], ...end].join('\n'));
    const recipient = stage.path(`${kind}.asc`);
    writeFileSync(recipient, type(['--armor', '--export', id]));
    return { recipient, open: (armored) => type(['--decrypt'], armored) };
  }

  function withRage(packages: string, name: string): Person {
    const python = (script: string, input: string) =>
      run('python3', ['-c', `import sys, pyrage\nfrom pyrage import x25519\n${script}`], input, {
        PYTHONPATH: packages,
      });
    const made = python('i=x25519.Identity.generate(); print(i); print(i.to_public())', '').split(
      '\n',
    );
    const identity = stage.path(name);
    writeFileSync(identity, made[0]!, { mode: 0o600 });
    const script =
      `i=x25519.Identity.from_str(open(${JSON.stringify(identity)}).read())\n` +
      'print(pyrage.decrypt(sys.stdin.buffer.read(), [i]).decode(), end="")';
    return { recipient: made[1]!, open: (armored) => python(script, armored) };
  }

  it('each opens its own with gpg or rage, nobody another’s, and what they hold unseals', async () => {
    const each = people.flatMap(({ recipient }) => ['--recipient', recipient]);
    const said = await region.kcm('init', '--shares', '5', '--threshold', '5', ...each, '--json');
    expect(said).toMatchObject({ code: 0, stderr: '' });
    expect(said.stdout).not.toContain('kcms1-');
    const { shares } = JSON.parse(said.stdout) as { shares: string[] };
    expect(() => people[0]!.open(shares[2]!)).toThrow(/secret key/);
    expect(() => people[1]!.open(shares[4]!)).toThrow(/matching key|Decrypt/i);
    const opened = people.map((person, at) => person.open(shares[at]!));
    for (const share of opened) expect(share).toMatch(/^kcms1-[a-z2-7]{96}\n$/);
    for (const share of opened)
      expect(await region.operator.post('/v1/sys/unseal', { share })).toMatchObject({ code: null });
    await region.serving();
  });
});
