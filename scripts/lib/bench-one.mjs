// Runs one bench file in a process of its own and writes its figures with what they were taken on.
import { writeFileSync } from 'node:fs';
import { cpus, loadavg } from 'node:os';
import { pathToFileURL } from 'node:url';

const [file, out] = process.argv.slice(2);
const { run } = await import(pathToFileURL(file).href);
const loadBefore = loadavg()[0];
const figures = await run();
const machine = {
  node: process.version,
  cpu: cpus()[0]?.model ?? 'unknown',
  cores: cpus().length,
  loadBefore,
  loadAfter: loadavg()[0],
};
const report = { at: new Date().toISOString(), machine, figures };
writeFileSync(out, `${JSON.stringify(report, null, 2)}\n`);
