/** What failed while reaching or probing a keystore (problem+json `step`). */
export type Step = 'network' | 'auth' | 'not_found' | 'policy' | 'algorithm' | 'state';

/** Every refusal that the outside can see, in one union; transports map it in one place each. */
export const CODES = [
  'invalid_request',
  'unauthenticated',
  'forbidden',
  'not_found',
  'method_not_allowed',
  'request_timeout',
  'payload_too_large',
  'unsupported_media_type',
  'headers_too_large',
  'revision_conflict',
  'precondition_failed',
  'wrong_state',
  'already_exists',
  'wrong_region',
  'approval_required',
  'idempotency_key_reused',
  'rate_limited',
  'sealed',
  'ledger_unavailable',
  'messaging_unavailable',
  'core_unavailable',
  'read_model_behind',
  'root_key_disabled',
  'root_key_not_found',
  'root_key_forbidden',
  'root_key_pending_deletion',
  'root_key_unreachable',
  'root_key_throttled',
  'root_key_in_use',
  'keystore_auth_failed',
  'keystore_wrong_algorithm',
  'keystore_address_refused',
  'tenant_suspended',
  'tenant_blocked',
  'tenant_read_only',
  'tenant_killed',
  'tenant_not_active',
  'key_not_active',
  'key_compromised',
  'key_archived',
  'key_destroyed',
  'key_in_use',
  'lease_expired',
  'export_not_allowed',
  'decryption_failed',
  'share_refused',
  'integrity',
  'internal',
] as const;
export type Code = (typeof CODES)[number];

/**
 * Classes of a keystore's refusal (architecture §2). `denied` closes at once; `indeterminate` and
 * `credential` never extend a lease; `integrity` concerns one blob only.
 */
export type Cause = 'denied' | 'indeterminate' | 'credential' | 'integrity';

/** One wrong field: JSON pointer-like dotted path, code and a sentence. */
export interface FieldError {
  readonly path: string;
  readonly code: string;
  readonly detail: string;
}
