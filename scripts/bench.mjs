// npm run bench [name…]: measures what test/bench holds; figures go to the terminal and bench-output/.
import { mkdirSync, readdirSync } from 'node:fs';
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
let failed = 0;
for (const name of wanted.length > 0 ? wanted : names) {
  say(`bench: ${name}`);
  const args = [join(folder, `${name}.bench.mjs`), join(out, `${name}.json`)];
  failed += (await run(node24, ['scripts/lib/bench-one.mjs', ...args], { env: env24() })) ? 1 : 0;
}
say(failed === 0 ? 'figures are in bench-output/' : `${failed} failed`);
process.exit(failed === 0 ? 0 : 1);
