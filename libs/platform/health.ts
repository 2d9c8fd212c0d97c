import { Injectable } from '@nestjs/common';

/** One thing that is not as it should be. Anybody may read it: it names no tenant and no person. */
export interface Reason {
  /** The part that it is about: `ledger`, `read-model audit`, `keystores`. */
  readonly dependency: string;
  /** `unavailable`: cannot serve. `degraded`: serves, and somebody should look. */
  readonly level: 'unavailable' | 'degraded';
  /** Stable, for a program. */
  readonly code: string;
  readonly detail: string;
  /** What to do about it. */
  readonly next: string;
}
export interface HealthReport {
  readonly status: 'ready' | 'degraded' | 'unavailable';
  /** Worst first. */
  readonly reasons: readonly Reason[];
}
type Check = () => readonly Reason[] | Promise<readonly Reason[]>;

/** Each part of the process says for itself what is wrong with it; nothing to say is ready. */
@Injectable()
export class Health {
  readonly #checks: Check[] = [];
  #asking: Promise<HealthReport> | null = null;

  add(check: Check): void {
    this.#checks.push(check);
  }

  /** Never throws: a part that cannot say how it is, is a reason too. Who asks meanwhile joins. */
  report(): Promise<HealthReport> {
    this.#asking ??= this.#ask().finally(() => (this.#asking = null));
    return this.#asking;
  }

  async #ask(): Promise<HealthReport> {
    const all = (await Promise.all(this.#checks.map(asked))).flat();
    const down = all.filter(({ level }) => level === 'unavailable');
    const status = down.length > 0 ? 'unavailable' : all.length > 0 ? 'degraded' : 'ready';
    return { status, reasons: [...down, ...all.filter((reason) => !down.includes(reason))] };
  }
}

async function asked(check: Check): Promise<readonly Reason[]> {
  try {
    return await check();
  } catch {
    return [
      {
        dependency: 'health',
        level: 'degraded',
        code: 'check_failed',
        detail: 'a part could not say how it is',
        next: 'ask again; if it stays, look at what the server logs',
      },
    ];
  }
}
