import type { Secret } from '@kcm/crypto';
import { KcmError } from '@kcm/kernel';
import type { Hierarchy } from './hierarchy.js';
import type { CallPurpose } from '../calls/journal.js';
import { type Called, callTarget, type KeystoreCalls } from '../calls/keystore-calls.js';
import type { ProofTarget } from '../leases/proof.js';
import type { RootKeyPool } from './root-key-pool.js';

export interface UnwrapDeps {
  readonly hierarchy: Pick<Hierarchy, 'openL2'>;
  readonly calls: Pick<KeystoreCalls, 'call'>;
  readonly rootKeys: Pick<RootKeyPool, 'get' | 'dropTenant' | 'dropAll'>;
}

/** One recorded unwrap by the customer's root key. Never throws. The caller disposes the value. */
export async function unwrapL2(
  { hierarchy, calls, rootKeys }: UnwrapDeps,
  { identity, recorded, rootKey }: ProofTarget,
  purpose: CallPurpose,
  traceparent?: string,
): Promise<Called<Secret>> {
  const { tenant } = identity;
  const at = callTarget(tenant, rootKey);
  try {
    const handle = await rootKeys.get(tenant, rootKey);
    return await hierarchy.openL2(identity, recorded, (wrapped, binding) =>
      calls.call(at, 'unwrap', purpose, { traceparent }, (call) =>
        handle.unwrap(wrapped, binding, call),
      ),
    );
  } catch (error) {
    const code = error instanceof KcmError ? error.code : 'internal';
    return {
      ok: false,
      cause: code === 'keystore_auth_failed' ? 'credential' : 'indeterminate',
      code,
      step: 'network',
      detail: 'The root key could not be asked.',
      providerRequestId: null,
      callId: null,
      sent: null,
    };
  }
}
