import { existsSync, globSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Command } from 'commander';
import type { Json } from '@kcm/kernel';
import { DriverRegistry, EgressGuard, LOOPBACK_CIDRS } from '@kcm/keystores';
import { kcmProgram } from '../../apps/cli/kcm-program.js';
import { welcome } from '../../apps/standalone/welcome.js';

const ROOT = join(import.meta.dirname, '..', '..');
const PAGES = ['README.md', ...globSync('docs/**/*.md', { cwd: ROOT })].sort();
const read = (path: string): string => readFileSync(join(ROOT, path), 'utf8');

/** Titles of the tests in a file, as its source spells them. */
function titlesIn(path: string): string[] {
  const named = /(?<!describe)\(\s*(['"`])((?:\\.|(?!\1).)+)\1,\s*(?:async\s*)?\(/g;
  return [...read(path).matchAll(named)].map(([, , title]) => title!.replaceAll(/\\(.)/g, '$1'));
}

/** Rows `| promise | file | test |` of the first table; a row without a promise goes on. */
function promised(): { readonly file: string; readonly title: string }[] {
  return read('docs/promises.md')
    .split('\n')
    .map((line) => /^\| .*\| `([^`|]+\.ts)` \| “(.+)” \|$/.exec(line))
    .filter((row) => row !== null)
    .map(([, file, title]) => ({ file: file!, title: title! }));
}

describe('The promises', () => {
  const rows = promised();

  it('are there', () => {
    expect(rows.length).toBeGreaterThan(50);
  });

  it.each([...new Set(rows.map(({ file }) => file))])('name tests that are in %s', (file) => {
    expect(existsSync(join(ROOT, file)) ? '' : file).toBe('');
    const titles = new Set(titlesIn(file));
    const named = rows.filter((row) => row.file === file).map(({ title }) => title);
    expect(named.filter((title) => !titles.has(title))).toEqual([]);
  });

  it('name no test twice, and no test that nothing runs', () => {
    const names = rows.map(({ file, title }) => `${file} ${title}`);
    expect(names.length).toBe(new Set(names).size);
    const suites = [...new Set(rows.map(({ file }) => file))].filter(
      (f) => !f.endsWith('.spec.ts'),
    );
    const specs = globSync('{apps,libs,projections,test}/**/*.spec.ts', { cwd: ROOT }).map(read);
    const unused = suites.filter((suite) => {
      const [, made] = /export (?:async )?function (\w+(?:Contract|Conformance))\(/.exec(
        read(suite),
      ) ?? [null, suite];
      return !specs.some((spec) => spec.includes(`${made}(`));
    });
    expect(unused).toEqual([]);
  });
});

describe('The pages', () => {
  it.each(PAGES)('%s links to what is there', (page) => {
    const links = [...read(page).matchAll(/\]\(([^)\s]+)\)/g)].map(([, link]) => link!);
    const broken = links.filter((link) => {
      if (/^https?:/.test(link)) return false;
      const [path, anchor] = link.split('#') as [string, string | undefined];
      const target = path === '' ? page : join(dirname(page), path);
      if (!existsSync(join(ROOT, target))) return true;
      return anchor !== undefined && !anchorsOf(read(target)).includes(anchor);
    });
    expect(broken).toEqual([]);
  });

  it.each(PAGES)('%s types commands that kcm has', (page) => {
    const blocks = [...read(page).matchAll(/^```\w*\n([\s\S]*?)^```$/gm)];
    expect(blocks.flatMap(([, block]) => wrongCommands(block!))).toEqual([]);
  });
});

describe('What a server says at its start', () => {
  it.each(['auto', 'shamir', 'keystore:vault'] as const)(
    '%s: types commands that kcm has',
    (seal) => {
      for (const [initialized, oidc] of [
        [true, true],
        [true, false],
        [false, false],
      ] as const) {
        const said = welcome({
          http: '',
          dataDir: '',
          edgeSockets: {},
          stores: [],
          seal,
          oidc,
          initialized,
        });
        expect(said).toContain('npx kcm');
        expect(wrongCommands(said)).toEqual([]);
      }
    },
  );
});

describe('What a driver tells the customer to type', () => {
  const drivers = new DriverRegistry({ egress: new EgressGuard({ allow: LOOPBACK_CIDRS }) });
  const reference: Json = { url: 'http://127.0.0.1:1', address: '', mount: 'transit', key: 'acme' };

  it.each(drivers.names())('%s: is a command where it is one of ours', async (name) => {
    const driver = await drivers.get(name);
    const { steps } = driver.trustPolicy(reference, 'acme', 'local');
    const ours = steps.map((step) => /(?:^|: )kcm (.+)$/.exec(step)?.[1] ?? null);
    expect(ours.map((line) => (line === null ? null : wrongIn(line)))).toEqual(
      ours.map(() => null),
    );
  });
});

const anchorsOf = (markdown: string): string[] =>
  [...markdown.matchAll(/^#+ (.+)$/gm)].map(([, heading]) =>
    heading!
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N} -]/gu, '')
      .replaceAll(' ', '-'),
  );

/** Every command of a text that kcm does not have. */
const wrongCommands = (text: string): string[] =>
  text
    .replaceAll('\\\n', ' ')
    .split(/\n|&&/)
    .map((line) => /(?:^|[$|] |npx )kcm (.+)$/.exec(line.trim())?.[1] ?? null)
    .map((line) => (line === null ? null : wrongIn(line)))
    .filter((wrong) => wrong !== null);

/** What is wrong with the words after `kcm`, or null. */
function wrongIn(line: string): string | null {
  const [typed = ''] = line.replaceAll(/\$\([^)]*\)/g, 'word').split(/\s[<>|&#…]|\s{2,}\(|\s{3,}/);
  const words = typed.trim().match(/"[^"]*"|\S+/g) ?? [];
  const program = kcmProgram();
  let command: Command = program;
  while (words.length > 0) {
    const next = command.commands.find((one) => one.name() === words[0]);
    if (next === undefined) break;
    command = next;
    words.shift();
  }
  const options = [...program.options, ...command.options];
  const positional: string[] = [];
  for (let at = 0; at < words.length; at += 1) {
    const word = words[at]!;
    if (!word.startsWith('--')) {
      positional.push(word);
      continue;
    }
    if (word === '--help') return null;
    const option = options.find(({ long }) => long === word);
    if (option === undefined) return `kcm ${line}: no option ${word}`;
    if (option.variadic) while (words[at + 1]?.startsWith('--') === false) at += 1;
    else if (option.required) at += 1;
  }
  if (command.commands.length > 0) return `kcm ${line}: no such command`;
  // An example may leave the rest to the reader.
  if (line.includes('…')) return null;
  const wanted = command.registeredArguments;
  const least = wanted.filter(({ required }) => required).length;
  const most = wanted.some(({ variadic }) => variadic) ? Infinity : wanted.length;
  const fits = positional.length >= least && positional.length <= most;
  return fits ? null : `kcm ${line}: wants ${least} to ${most} arguments`;
}
