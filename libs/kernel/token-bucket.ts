/** Tokens that come back with time; `nowMs` of one monotonic clock. */
export class TokenBucket {
  #tokens: number;
  #at: number;

  constructor(
    private readonly atOnce: number,
    private readonly perSecond: number,
    nowMs: number,
  ) {
    this.#tokens = atOnce;
    this.#at = nowMs;
  }

  /** Takes one and answers how long its holder must wait for its turn: 0 while there are any. */
  reserveMs(nowMs: number, waitMsMax: number): number | null {
    this.#refill(nowMs);
    const waitMs = this.#tokens >= 1 ? 0 : ((1 - this.#tokens) / this.perSecond) * 1000;
    if (waitMs > waitMsMax) return null;
    this.#tokens -= 1;
    return waitMs;
  }

  take(nowMs: number): boolean {
    return this.reserveMs(nowMs, 0) !== null;
  }

  /** What is there now: whole tokens, and how long until it is full again. */
  look(nowMs: number): { readonly left: number; readonly fullInMs: number } {
    this.#refill(nowMs);
    const fullInMs = ((this.atOnce - this.#tokens) / this.perSecond) * 1000;
    return { left: Math.max(0, Math.floor(this.#tokens)), fullInMs };
  }

  #refill(nowMs: number): void {
    const refill = (Math.max(0, nowMs - this.#at) / 1000) * this.perSecond;
    this.#tokens = Math.min(this.atOnce, this.#tokens + refill);
    this.#at = Math.max(this.#at, nowMs);
  }
}
