import { overwriteFreedMemory } from '@kcm/kernel';

overwriteFreedMemory();
const { runProgram } = await import('@kcm/platform');
const { startCore } = await import('./start-core.js');

await runProgram(
  () => startCore(process.env),
  ({ http }) => `Core answers on ${http}\n`,
);
