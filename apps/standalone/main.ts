import { runProgram } from '@kcm/platform';
import { startStandalone } from './standalone.js';
import { welcome } from './welcome.js';

await runProgram(() => startStandalone(process.env), welcome);
