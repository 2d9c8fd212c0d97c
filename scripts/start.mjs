import { ensureBuild, env24, node24, run } from './lib/setup.mjs';

await ensureBuild();
const flags = ['--expose-gc', '--enable-source-maps', '--disable-warning=ExperimentalWarning'];
process.exit(await run(node24, [...flags, 'dist/apps/standalone/main.js'], { env: env24() }));
