import { KcmError, type Code } from '@kcm/kernel';
import type { Refusal } from '../core/core-port.js';

const DETAILS: Partial<Record<Code, string>> = {
  not_found: 'There is no such tenant here.',
  lease_expired: 'Core gives no lease at the moment.',
  key_not_active: 'The key is not in use: it protects nothing new.',
  key_compromised: 'The key is compromised: it protects nothing new, and opens nothing.',
  key_archived: 'This version of the key is archived.',
  key_destroyed: 'This version of the key is destroyed.',
};
export const refusalOf = ({ code }: Refusal): KcmError =>
  new KcmError(code, DETAILS[code] ?? `Core refuses the lease: ${code}.`);

/** Why a version of a key is not used. */
export const keyRefused = (code: Code): KcmError =>
  new KcmError(code, DETAILS[code] ?? `The key is refused: ${code}.`);

/** What Core refuses of one version says nothing of the others. */
export const isOfOneVersion = (code: Code): boolean =>
  code === 'key_archived' || code === 'key_destroyed';

export const readOnly = (): KcmError =>
  new KcmError('tenant_read_only', 'The tenant only decrypts at present.');

export const lockedOut = (access: 'locked' | 'killed'): KcmError =>
  access === 'killed'
    ? new KcmError('tenant_killed', 'The tenant has been killed.')
    : new KcmError('tenant_suspended', 'The tenant is locked.');

export const tooMany = (): KcmError =>
  new KcmError('rate_limited', 'Too many leases are being asked for at once.', {
    retryAfterSeconds: 1,
  });

/** How long one refusal answers for all who ask, so that Core is not asked for each request. */
const REFUSAL_MS = 250;
const REFUSALS_MAX = 1_024;

/** Refusals of the last moments, by what was asked. */
export class RefusalMemo {
  readonly #refusals = new Map<string, { readonly until: number; readonly error: KcmError }>();

  constructor(private readonly now: () => number) {}

  of(name: string): KcmError | null {
    const refusal = this.#refusals.get(name);
    return refusal !== undefined && refusal.until > this.now() ? refusal.error : null;
  }

  remember(name: string, error: KcmError): KcmError {
    if (this.#refusals.size >= REFUSALS_MAX) this.#refusals.clear();
    this.#refusals.set(name, { until: this.now() + REFUSAL_MS, error });
    return error;
  }

  clear(): void {
    this.#refusals.clear();
  }
}
