import { type Called, type CallPurpose, type CallRefused, callTarget } from '@kcm/custody';
import { constantTimeEqual } from '@kcm/crypto';
import type { RootKeyEntry } from '@kcm/domain';
import { KcmError } from '@kcm/kernel';
import type { ResolvedKey, RootKey } from '@kcm/keystores';
import type { EffectDeps, EffectTrace } from './context.js';

export type Probed =
  | {
      readonly ok: true;
      readonly resolved: ResolvedKey;
      readonly callId: string;
      readonly providerRequestId: string | null;
    }
  | Pick<CallRefused, 'ok' | 'code' | 'step' | 'callId' | 'providerRequestId'>;

const PROBE_BYTES = 32;

/**
 * Does this key do what a root key must, for us, now? Resolve, wrap random bytes, unwrap them and
 * compare. Each call is recorded. @throws KcmError when a call could not even be made
 */
export async function probe(
  deps: Pick<EffectDeps, 'keys' | 'random'>,
  tenant: string,
  entry: RootKeyEntry,
  purpose: CallPurpose & ('connect' | 'probe'),
  trace: EffectTrace,
): Promise<Probed> {
  const { calls, rootKeys } = deps.keys;
  let rootKey: RootKey;
  try {
    rootKey = await rootKeys.get(tenant, entry);
  } catch (error) {
    return notOpened(error);
  }
  const at = callTarget(tenant, entry);
  const resolved = made(
    await calls.call(at, 'resolve', purpose, trace, (call) => rootKey.resolve(call)),
  );
  if (!resolved.ok) return resolved;
  const binding = { tenant, key: entry.rootKeyId, version: 0 };
  const bytes = deps.random.bytes(PROBE_BYTES);
  try {
    const wrapped = made(
      await calls.call(at, 'wrap', purpose, trace, (call) => rootKey.wrap(bytes, binding, call)),
    );
    if (!wrapped.ok) return wrapped;
    const opened = made(
      await calls.call(at, 'unwrap', purpose, trace, (call) =>
        rootKey.unwrap(wrapped.value.bytes, binding, call),
      ),
    );
    if (!opened.ok) return opened;
    const { callId, providerRequestId } = opened;
    const same = constantTimeEqual(opened.value, bytes);
    opened.value.fill(0);
    return same
      ? { ok: true, resolved: resolved.value, callId, providerRequestId }
      : {
          ok: false,
          code: 'keystore_wrong_algorithm',
          step: 'algorithm',
          callId,
          providerRequestId,
        };
  } finally {
    bytes.fill(0);
  }
}

/** A call that was not made says nothing about the key. @throws KcmError */
function made<T>(called: Called<T>): Called<T> {
  if (!called.ok && called.callId === null) throw new KcmError(called.code, called.detail);
  return called;
}

/** What the reference or the credentials are to blame for; anything else is tried again. */
function notOpened(error: unknown): Probed {
  const none = { ok: false, callId: null, providerRequestId: null } as const;
  if (error instanceof KcmError) {
    const { code } = error;
    if (code === 'keystore_auth_failed') return { ...none, code, step: error.step ?? 'auth' };
    if (code === 'keystore_address_refused')
      return { ...none, code, step: error.step ?? 'network' };
    if (code === 'invalid_request') return { ...none, code, step: error.step ?? 'not_found' };
  }
  throw error;
}
