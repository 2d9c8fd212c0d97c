import { ensureBuild } from './lib/setup.mjs';

await ensureBuild();
