import type { Code, KcmError, Step } from '@kcm/kernel';

/** The one place where a code becomes an HTTP status (RFC 9110). */
const STATUS: { readonly [code in Code]: number } = {
  invalid_request: 400,
  unauthenticated: 401,
  forbidden: 403,
  not_found: 404,
  method_not_allowed: 405,
  request_timeout: 408,
  payload_too_large: 413,
  unsupported_media_type: 415,
  headers_too_large: 431,
  revision_conflict: 409,
  precondition_failed: 412,
  wrong_state: 409,
  already_exists: 409,
  wrong_region: 421,
  approval_required: 403,
  idempotency_key_reused: 422,
  rate_limited: 429,
  sealed: 503,
  ledger_unavailable: 503,
  read_model_behind: 503,
  root_key_disabled: 403,
  root_key_not_found: 403,
  root_key_forbidden: 403,
  root_key_pending_deletion: 403,
  root_key_unreachable: 503,
  root_key_throttled: 503,
  root_key_in_use: 422,
  keystore_auth_failed: 422,
  keystore_wrong_algorithm: 422,
  keystore_address_refused: 422,
  tenant_suspended: 403,
  tenant_blocked: 403,
  tenant_read_only: 403,
  tenant_killed: 403,
  tenant_not_active: 409,
  lease_expired: 503,
  export_not_allowed: 403,
  decryption_failed: 400,
  share_refused: 400,
  integrity: 503,
  internal: 500,
};
/** A refused connect or probe is about what was sent, whatever the code means at use. */
const WHEN_CONNECTING = 422;

export const PROBLEM_TYPE = 'application/problem+json';
/** RFC 9457 problem details. */
export interface Problem {
  readonly type: string;
  readonly title: string;
  readonly status: number;
  readonly detail: string;
  readonly code: Code;
  readonly correlationId: string;
  readonly errors?: KcmError['errors'];
  readonly step?: NonNullable<KcmError['step']>;
}

const title = (code: Code) => {
  const words = code.replaceAll('_', ' ');
  return words[0]!.toUpperCase() + words.slice(1);
};

/** @param step the one that a connect or a probe failed at */
export function problemStatusOf(code: Code, step: Step | null): number {
  return step !== null && STATUS[code] === 403 ? WHEN_CONNECTING : STATUS[code];
}

export function problemOf(error: KcmError, correlationId: string): Problem {
  return {
    type: `urn:kcm:problem:${error.code}`,
    title: title(error.code),
    status: problemStatusOf(error.code, error.step),
    detail: error.message,
    code: error.code,
    correlationId,
    ...(error.errors.length > 0 ? { errors: error.errors } : {}),
    ...(error.step === null ? {} : { step: error.step }),
  };
}
