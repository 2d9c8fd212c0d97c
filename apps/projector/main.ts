import { openGround, runProgram, startProgram } from '@kcm/platform';
import { ProjectorPart } from './projector-part.js';

await runProgram(
  async () => {
    const ground = await openGround(process.env, 'projector', [
      'ledger',
      'readModels',
      'directory',
      'outbox',
    ]);
    return startProgram(ground, {}, (door) => new ProjectorPart(ground, door));
  },
  ({ http }) => `The projector answers on ${http}\n`,
);
