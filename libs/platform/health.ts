import { Injectable } from '@nestjs/common';

export interface Finding {
  readonly part: string;
  /** `down`: cannot serve. `degraded`: serves, and somebody should look. */
  readonly level: 'down' | 'degraded';
  readonly detail: string;
}
export interface HealthReport {
  readonly status: 'ready' | 'degraded' | 'unavailable';
  readonly reasons: readonly { readonly part: string; readonly detail: string }[];
}

/** Each part of the process says for itself what is wrong with it; nothing to say is ready. */
@Injectable()
export class Health {
  readonly #checks: (() => readonly Finding[])[] = [];

  add(check: () => readonly Finding[]): void {
    this.#checks.push(check);
  }

  report(): HealthReport {
    const findings = this.#checks.flatMap((check) => check());
    const down = findings.some((finding) => finding.level === 'down');
    const status = down ? 'unavailable' : findings.length > 0 ? 'degraded' : 'ready';
    return { status, reasons: findings.map(({ part, detail }) => ({ part, detail })) };
  }
}
