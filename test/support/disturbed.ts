import { renameSync, writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { ensureFaketime } from '../../scripts/services/debian.mjs';
import type { Env, Stage } from './processes.js';

/** A process that is stopped for so long, as with a paused container; then it goes on. */
export async function stopped(
  pid: number,
  ms: number,
  meanwhile: () => Promise<unknown> = () => Promise.resolve(),
): Promise<void> {
  process.kill(pid, 'SIGSTOP');
  try {
    await Promise.all([sleep(ms), meanwhile()]);
  } finally {
    process.kill(pid, 'SIGCONT');
  }
}

/**
 * The wall clock of one program, which can be set while it runs (Debian's libfaketime). Its
 * monotonic and boot-time clocks stay true.
 */
export class WallClock {
  private constructor(
    private readonly file: string,
    private readonly library: string,
  ) {}

  static async make(stage: Stage, name: string): Promise<WallClock> {
    const clock = new WallClock(stage.path(`${name}.clock`), await ensureFaketime());
    clock.jump(0);
    return clock;
  }

  /** For the program that is to live by it. */
  get env(): Env {
    return {
      LD_PRELOAD: this.library,
      FAKETIME_TIMESTAMP_FILE: this.file,
      FAKETIME_NO_CACHE: '1',
      FAKETIME_DONT_FAKE_MONOTONIC: '1',
      NO_FAKE_STAT: '1',
    };
  }

  /** So many seconds from the true time, from now on. */
  jump(seconds: number): void {
    writeFileSync(`${this.file}.new`, `${seconds < 0 ? '' : '+'}${seconds}\n`);
    renameSync(`${this.file}.new`, this.file);
  }
}
