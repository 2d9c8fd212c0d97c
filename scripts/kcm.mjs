#!/usr/bin/env node
import { join } from 'node:path';
import { ensureBuild, env24, node24, root, run } from './lib/setup.mjs';

await ensureBuild();
const flags = ['--enable-source-maps', '--disable-warning=ExperimentalWarning'];
const main = join(root, 'dist/apps/cli/main.js');
process.exit(
  await run(node24, [...flags, main, ...process.argv.slice(2)], {
    env: env24(),
    cwd: process.cwd(),
  }),
);
