import { KcmError, printableText, stopOnSignal, takenPort } from '@kcm/kernel';
import type { EngineName } from '../engines/engines.js';
import { composeDoor, type Door, type DoorOptions } from './door.js';
import { closeGround, type Ground } from './ground.js';
import { type Late, type ProgramPart, Program } from './program.js';

export type DoorEngine = 'ledger' | 'readModels' | 'directory';

/**
 * Composes and starts; what fails closes what was opened.
 * @throws what the composition or the start threw
 */
export async function startProgram<N extends EngineName, P extends ProgramPart>(
  ground: Ground<N | DoorEngine>,
  options: DoorOptions,
  compose: (door: Door, late: Late) => P,
): Promise<Program<P>> {
  let program: Program<P>;
  try {
    const door = composeDoor(ground, options);
    program = new Program(ground, door, (late) => compose(door, late));
  } catch (error) {
    await closeGround(ground);
    throw error;
  }
  return program.start();
}

/** A path or a setting may hold anything. */
const say = (text: string) => process.stderr.write(`${printableText(text)}\n`);

/**
 * The life of a process of this product: started, told on stdout, stopped by a signal. One that
 * cannot start says why in one line and ends: 2 for its settings, else 1.
 */
export async function runProgram<P extends { stop(): Promise<void> }>(
  start: () => Promise<P>,
  welcome: (running: P) => string,
): Promise<void> {
  try {
    const running = await start();
    process.stdout.write(printableText(welcome(running)));
    stopOnSignal(
      () => running.stop(),
      (error) => say(`OpenKCM did not stop cleanly: ${String(error)}`),
    );
  } catch (error) {
    const taken = takenPort(error);
    const message = error instanceof Error ? error.message : String(error);
    const remedy = 'stop what runs there, or set KCM_HTTP_PORT or KCM_KMIP_PORT (0: a free one).';
    const reason = taken === null ? message : `Port ${taken} is taken: ${remedy}`;
    say(`OpenKCM did not start. ${reason}`);
    if (!(error instanceof KcmError) && taken === null && error instanceof Error)
      say(error.stack ?? '');
    process.exit(error instanceof KcmError && error.code === 'invalid_request' ? 2 : 1);
  }
}
