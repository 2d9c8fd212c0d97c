import type { Recorded } from '@kcm/domain';
import { openGround, type Program, startProgram } from '@kcm/platform';
import { CORE_ENGINES } from './composition.js';
import { CorePart } from './core-part.js';

/** Core alone. @throws KcmError naming every wrong setting, or what could not be opened */
export async function startCore(env: NodeJS.ProcessEnv): Promise<Program<CorePart>> {
  const ground = await openGround(env, 'core', CORE_ENGINES);
  let part: CorePart | null = null;
  return startProgram(
    ground,
    {
      observe: (event) => part!.parts.core.keys.observe(event as unknown as Recorded),
      // It answers nothing any more: nothing stays open that it would have to be asked about.
      onBroken: () => part!.parts.core.sealed(),
    },
    (door, late) => (part = new CorePart(ground, door, late)),
  );
}
