import { ensureBuild, env24, node24, run } from './lib/setup.mjs';

await ensureBuild();
// No debugger on SIGUSR1: whoever reaches its port reads the memory.
const flags = [
  '--expose-gc',
  '--disable-sigusr1',
  '--enable-source-maps',
  '--disable-warning=ExperimentalWarning',
];
process.exit(await run(node24, [...flags, 'dist/apps/standalone/main.js'], { env: env24() }));
