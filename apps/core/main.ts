import { runProgram } from '@kcm/platform';
import { startCore } from './start-core.js';

await runProgram(
  () => startCore(process.env),
  ({ http }) => `Core answers on ${http}\n`,
);
