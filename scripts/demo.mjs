import { ensureBuild, env24, node24, run } from './lib/setup.mjs';

await ensureBuild();
const flags = ['--enable-source-maps', '--disable-warning=ExperimentalWarning'];
process.exit(
  await run(node24, [...flags, 'dist/demo/main.js', ...process.argv.slice(2)], { env: env24() }),
);
