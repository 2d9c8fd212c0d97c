// npm run bench [name…]: measures what test/bench holds; figures go to the terminal and bench-output/.
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ensureBuild, env24, node24, root, run } from './lib/setup.mjs';
import { say } from './lib/say.mjs';

await ensureBuild();
const wanted = process.argv.slice(2);
const folder = join(root, 'test', 'bench');
const files = readdirSync(folder).filter((name) => name.endsWith('.bench.mjs'));
const names = files.map((file) => file.replace('.bench.mjs', ''));
for (const name of wanted) {
  if (!names.includes(name)) {
    say(`no bench is called ${name}; there are: ${names.join(', ')}`);
    process.exit(2);
  }
}
const out = join(root, 'bench-output');
mkdirSync(out, { recursive: true });
// kafkajs waits for times that are past.
const QUIET = ['ExperimentalWarning', 'TimeoutNegativeWarning'];
const FLAGS = ['--expose-gc', ...QUIET.map((name) => `--disable-warning=${name}`)];
const done = wanted.length > 0 ? wanted : names;
let failed = 0;
for (const name of done) {
  say(`bench: ${name}`);
  const report = join(out, `${name}.json`);
  rmSync(report, { force: true });
  const args = [...FLAGS, 'scripts/lib/bench-one.mjs', join(folder, `${name}.bench.mjs`), report];
  failed += (await run(node24, args, { env: env24() })) ? 1 : 0;
}
if (failed === 0) await summarise(done);
say(failed === 0 ? 'figures are in bench-output/' : `${failed} failed`);
process.exit(failed === 0 ? 0 : 1);

/** One table of all figures that have a goal, and the same as JSON. */
async function summarise(names) {
  const reports = names.map((name) => JSON.parse(readFileSync(join(out, `${name}.json`), 'utf8')));
  const rows = reports
    .flatMap(({ figures }) => figures.rows)
    .filter(({ id }) => id !== '')
    .toSorted((a, b) => Number(a.id.slice(1)) - Number(b.id.slice(1)));
  // Installed by now; this file itself runs before anything is.
  const { printRows } = await import('../test/bench/lib/report.mjs');
  say('all figures that have a goal');
  printRows(rows);
  const [{ at }] = reports;
  const summary = { at, machine: reports.map(({ machine }) => machine), rows };
  writeFileSync(join(out, 'summary.json'), `${JSON.stringify(summary, null, 2)}\n`);
}
