import type { Code } from '@kcm/kernel';
import type { CallPurpose } from '../calls/journal.js';
import type { Proof, ProofResult } from './proof.js';

/** What the lease authority knows of one tenant. */
export class TrackedTenant {
  proof: Proof | null = null;
  /** The unwraps under way, by L2 version. */
  readonly flights = new Map<number | 'current', Promise<ProofResult>>();
  /** Rises when access is closed: an answer that was asked for before is thrown away. */
  generation = 0;
  /** Asked for since the last proof: only then is it renewed before it ends. */
  used = false;
  /** The customer's own no, until a later success is recorded. */
  denied: {
    readonly code: Code;
    readonly callId: string | null;
  } | null = null;
  /** Probes since the denial, for the back-off. */
  probes = 0;
  /** Calls in a row that proved nothing. */
  failures = 0;
  lastCode: Code | null = null;
  /** No new call before this time, monotonic ms. */
  notBefore = 0;
  /** Recorded already that nothing is known. */
  indeterminate = false;
  /** The next call that is planned. */
  #next: { readonly purpose: CallPurpose; readonly cancel: () => void } | null = null;

  constructor(readonly tenant: string) {}

  /** A call is under way or planned; with a purpose: planned for it. */
  waiting(purpose: CallPurpose | null): boolean {
    if (this.flights.size > 0) return true;
    return this.#next !== null && (purpose === null || this.#next.purpose === purpose);
  }

  /** One plan at a time: the latest stands. */
  plan(purpose: CallPurpose, cancel: () => void): void {
    this.cancelNext();
    this.#next = { purpose, cancel };
  }

  /** A plan that has come due is over. */
  due(): void {
    this.#next = null;
  }

  cancelNext(): void {
    this.#next?.cancel();
    this.#next = null;
  }

  succeeded(): void {
    this.used = false;
    this.probes = 0;
    this.failures = 0;
    this.lastCode = null;
    this.notBefore = 0;
    this.indeterminate = false;
  }

  failed(code: Code, notBefore: number): void {
    this.failures += 1;
    this.lastCode = code;
    this.notBefore = notBefore;
  }

  /** The proof is over and answers on their way are void. */
  lapse(): void {
    this.generation += 1;
    this.proof?.deadline.end();
    this.proof = null;
  }

  forget(): void {
    this.lapse();
    this.cancelNext();
  }
}
