import { overwriteFreedMemory } from '@kcm/kernel';

overwriteFreedMemory();
const { runProgram } = await import('@kcm/platform');
const { startStandalone } = await import('./standalone.js');
const { welcome } = await import('./welcome.js');

await runProgram(() => startStandalone(process.env), welcome);
