// npm test: every tier, one closing line. `unit` is the fast part, `check` the static part; `deep`
// is every tier with the long figures of libs/testing/figures.
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ensureBuild, ensurePackages, env24, node24, root } from './lib/setup.mjs';
import { say } from './lib/say.mjs';

const mode = process.argv[2] ?? 'all';
const deep = mode === 'deep';
const results = [];
const scratch = mkdtempSync(join(tmpdir(), 'kcm-test-'));

function hasSource(dir) {
  if (!existsSync(join(root, dir))) return false;
  return readdirSync(join(root, dir), { recursive: true }).some((name) => name.endsWith('.ts'));
}
const TIERS = ['vectors', 'sim', 'contract', 'services', 'crash', 'security', 'e2e'];

/** Each folder of test/ with a spec in it, one that nobody has named here too. */
function tiers() {
  const found = readdirSync(join(root, 'test'), { recursive: true })
    .filter((name) => name.endsWith('.spec.ts'))
    .map((name) => name.split('/', 1)[0]);
  const others = [...new Set(found)].filter((tier) => !TIERS.includes(tier));
  return [...TIERS.filter((tier) => found.includes(tier)), ...others];
}
const DEEP_TEST_MS_MAX = 1_800_000;
const ALONE = '\\.alone\\.spec\\.ts$';
const rooms = ['apps', 'libs', 'projections', 'demo', 'test', 'examples'];

function exec(args, env = {}) {
  return new Promise((resolve) => {
    const child = spawn(node24, args, {
      cwd: root,
      stdio: ['ignore', 'inherit', 'inherit'],
      env: { ...env24(), ...env },
    });
    child.on('exit', (code) => resolve(code ?? 1));
  });
}

async function check(name, args) {
  say(`check: ${name}`);
  const started = Date.now();
  const code = await exec(args);
  results.push({
    name,
    passed: code === 0 ? 1 : 0,
    failed: code === 0 ? 0 : 1,
    ms: Date.now() - started,
  });
}

async function jest(name, paths, extra = []) {
  say(`tests: ${name}`);
  const started = Date.now();
  const out = join(scratch, `${name}.json`);
  const flags = [
    '--experimental-vm-modules',
    '--expose-gc',
    '--disable-warning=ExperimentalWarning',
  ];
  const code = await exec(
    [
      ...flags,
      'node_modules/jest/bin/jest.js',
      '--json',
      `--outputFile=${out}`,
      ...(deep ? [`--testTimeout=${DEEP_TEST_MS_MAX}`] : []),
      '--testPathPatterns',
      ...paths,
      ...extra,
    ],
    deep ? { KCM_TEST_FIGURES: 'deep' } : {},
  );
  const report = existsSync(out) ? JSON.parse(readFileSync(out, 'utf8')) : null;
  const failed = report ? report.numFailedTests + report.numRuntimeErrorTestSuites : 1;
  const pending = report ? report.numPendingTests + report.numTodoTests : 0;
  results.push({
    name,
    passed: report?.numPassedTests ?? 0,
    // A skipped test, or a runner that failed without naming one, is a failure.
    failed: failed + pending + (code !== 0 && failed === 0 ? 1 : 0),
    ms: Date.now() - started,
  });
}

await ensurePackages();
const dirs = rooms.filter(hasSource);
if (mode !== 'unit' && !deep) {
  await check('types', [
    'node_modules/typescript-native/bin/tsc',
    '--noEmit',
    '-p',
    'tsconfig.json',
  ]);
  await check('lint', ['node_modules/oxlint/bin/oxlint', '--type-aware', ...dirs]);
  await check('import rules', [
    'node_modules/dependency-cruiser/bin/dependency-cruiser.mjs',
    ...dirs,
  ]);
  await check('formatting', [
    'node_modules/prettier/bin/prettier.cjs',
    '--check',
    '--log-level=warn',
    '.',
  ]);
}
if (mode !== 'check') await jest('unit', ['^.*/(apps|libs|projections|demo)/.*\\.spec\\.ts$']);
if (mode === 'all' || deep) {
  await ensureBuild();
  // Most of these wait for leases and servers: two at a time. What compares times runs by itself.
  for (const tier of tiers())
    await jest(tier, [`/test/${tier}/`], ['--testPathIgnorePatterns', ALONE]);
  await jest('alone', [ALONE], ['--runInBand']);
}
rmSync(scratch, { recursive: true, force: true });
for (const { name, passed, failed, ms } of results) {
  say(
    `${failed ? 'FAILED' : 'ok    '} ${name}: ${passed} passed, ${failed} failed (${(ms / 1000).toFixed(1)} s)`,
  );
}
const passed = results.reduce((sum, row) => sum + row.passed, 0);
const failed = results.reduce((sum, row) => sum + row.failed, 0);
process.stdout.write(`${passed} passed, ${failed} failed\n`);
process.exit(failed === 0 && passed > 0 ? 0 : 1);
