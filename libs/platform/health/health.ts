import { Injectable } from '@nestjs/common';
import {
  type HealthReport,
  healthReport,
  LIMITS,
  type Reason,
  type Scheduler,
  systemScheduler,
  within,
} from '@kcm/kernel';

type Check = () => readonly Reason[] | Promise<readonly Reason[]>;
/** What it means that a part cannot say how it is. */
export type Silence = Pick<Reason, 'level' | 'code' | 'detail' | 'next'>;
/** A check threw, told once until it throws no more. Must not throw. */
type OnFailed = (part: string, error: unknown) => void;

/** Each part of the process says for itself what is wrong with it; nothing to say is ready. */
@Injectable()
export class Health {
  readonly #parts: Part[] = [];

  constructor(
    private readonly onFailed: OnFailed,
    private readonly scheduler: Scheduler = systemScheduler,
  ) {}

  add(name: string, check: Check, failed: Silence = FAILED): void {
    const tell = (error: unknown): void => this.onFailed(name, error);
    this.#parts.push(new Part(name, check, failed, tell));
  }

  /**
   * Never throws, and answers within a bound: a part that cannot say how it is, or takes too long
   * to, is a reason too.
   */
  async report(): Promise<HealthReport> {
    const all = await Promise.all(this.#parts.map((part) => part.reasons(this.scheduler)));
    return healthReport(all.flat());
  }
}

const FAILED: Silence = {
  level: 'degraded',
  code: 'check_failed',
  detail: 'it could not say how it is',
  next: 'ask again; if it stays, the log says why: "a part cannot say how it is"',
};

class Part {
  /** One that hangs is not asked again: whoever comes meanwhile joins. */
  #asking: Promise<readonly Reason[]> | null = null;
  #told = false;

  constructor(
    private readonly name: string,
    private readonly check: Check,
    private readonly failed: Silence,
    private readonly tell: (error: unknown) => void,
  ) {}

  async reasons(scheduler: Scheduler): Promise<readonly Reason[]> {
    this.#asking ??= this.#ask().finally(() => (this.#asking = null));
    const answer = await within(scheduler, LIMITS.healthCheckMsMax, this.#asking);
    if (answer !== 'late') return answer;
    return [
      {
        dependency: this.name,
        level: 'degraded',
        code: 'no_answer',
        detail: 'it does not say how it is: it hangs, or the machine is overloaded',
        next: 'look at the disk of the data folder and at the load of the machine',
      },
    ];
  }

  async #ask(): Promise<readonly Reason[]> {
    try {
      const reasons = await this.check();
      this.#told = false;
      return reasons;
    } catch (error) {
      if (!this.#told) this.tell(error);
      this.#told = true;
      return [{ dependency: this.name, ...this.failed }];
    }
  }
}
