// npm run verify:engines [-- FOLDER]: the suites of the engines' adapters against servers that run
// already, those of docker-compose.yml unless EVENTSTORE_URL, MONGODB_URL or KAFKA_URL say others.
// What was found stands in FOLDER/result.json (engines-output). Exit 1: something failed, or a
// server was not reached. Plain JavaScript for Node 20.
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join, relative, resolve } from 'node:path';
import { addressOf, ask, ENGINES } from './lib/engine-probes.mjs';
import { say } from './lib/say.mjs';
import { ensurePackages, env24, node24, root, run } from './lib/setup.mjs';

/** A broker that waits three seconds for each group's members makes some tests slow. */
const TEST_MS_MAX = 120_000;
const folder = resolve(process.argv[2] ?? join(root, 'engines-output'));
const result = join(folder, 'result.json');
const report = join(folder, 'jest.json');
const versionOf = (path) => JSON.parse(readFileSync(join(root, path), 'utf8')).version;

mkdirSync(folder, { recursive: true });
for (const old of [result, report]) rmSync(old, { force: true });
await ensurePackages();
const began = Date.now();
const asked = await Promise.all(
  ENGINES.map(async (engine) => {
    const url = process.env[engine.variable] || engine.standard;
    return { ...engine, url, answer: await ask(engine, url) };
  }),
);
for (const { name, variable, url, answer } of asked) {
  const { reached, version, standIn, why } = answer;
  const at = `${name} at ${addressOf(url)} (${variable})`;
  const who = `${version ?? 'says no version'}${standIn ? ', a stand-in' : ''}`;
  say(reached ? `${at}: ${who}` : `${at} was not reached: ${why}`);
}
const tests = await runSuites(asked.filter(({ answer }) => answer.reached));
const engines = asked.map((engine) => engineResult(engine, tests));
const sum = (what) => engines.flatMap(({ suites }) => suites).reduce((n, it) => n + it[what], 0);
const totals = { passed: sum('passed'), failed: sum('failed'), missing: sum('missing') };
const ms = Date.now() - began;
const product = versionOf('package.json');
const node = versionOf('node_modules/node/package.json');
const at = new Date(began).toISOString();
writeFileSync(
  result,
  `${JSON.stringify({ at, ms, product, node, ...totals, engines }, null, 2)}\n`,
);
for (const { engine, suites } of engines)
  for (const { name, passed, failed, missing } of suites)
    say(`${engine}, ${name}: ${passed} passed, ${failed} failed, ${missing} missing`);
const { passed, failed, missing } = totals;
process.stdout.write(`${passed} passed, ${failed} failed, ${missing} missing: ${result}\n`);
process.exit(failed + missing === 0 && passed > 0 ? 0 : 1);

/** Of those reached, the tests that ask them: by file, or null when the runner itself failed. */
async function runSuites(reached) {
  if (reached.length === 0) return new Map();
  const urls = reached.map(({ variable, url }) => [variable, url]);
  const env = { ...env24(), ...Object.fromEntries(urls) };
  const quiet = [
    '--experimental-vm-modules',
    '--expose-gc',
    '--disable-warning=ExperimentalWarning',
  ];
  // One suite at a time: some have patience of milliseconds, and the servers may be on this machine.
  const args = ['--json', `--outputFile=${report}`, `--testTimeout=${TEST_MS_MAX}`, '--runInBand'];
  const only = ['--testNamePattern', reached.map((engine) => engine.tests).join('|')];
  const files = reached.flatMap(({ suites }) => Object.values(suites));
  const jest = [...quiet, 'node_modules/jest/bin/jest.js', ...args, ...only, '--runTestsByPath'];
  const options = { env, stdio: ['ignore', 2, 2] };
  await run(node24, [...jest, ...files], options);
  if (!existsSync(report)) return new Map();
  const { testResults } = JSON.parse(readFileSync(report, 'utf8'));
  rmSync(report);
  return new Map(testResults.map((file) => [relative(root, file.name), file.assertionResults]));
}

function engineResult({ name, url, client, suites, tests: names, answer }, ran) {
  return {
    engine: name,
    address: addressOf(url),
    ...answer,
    client: `${client} ${versionOf(`node_modules/${client}/package.json`)}`,
    suites: Object.entries(suites).map(([suite, file]) => {
      const own = (ran.get(file) ?? []).filter(({ fullName }) => fullName.includes(names));
      const count = (status) => own.filter((test) => test.status === status).length;
      const [passed, failed] = [count('passed'), count('failed')];
      // Not reached, or a file that did not even begin: one is missing, however many it has.
      const missing = own.length === 0 ? 1 : own.length - passed - failed;
      return { name: suite, file, passed, failed, missing };
    }),
  };
}
