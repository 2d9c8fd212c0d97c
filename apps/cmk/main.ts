import { openGround, runProgram, startProgram } from '@kcm/platform';
import { FrontPart } from './front-part.js';

await runProgram(
  async () => {
    const ground = await openGround(process.env, 'cmk', [
      'ledger',
      'readModels',
      'vault',
      'directory',
    ]);
    return startProgram(ground, {}, (door, late) => new FrontPart(ground, door, late));
  },
  ({ http }) => `The API answers on ${http}\n`,
);
