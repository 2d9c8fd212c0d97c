import type { Code, KcmError } from '@kcm/kernel';
import type { Malformed } from './http-reader.js';

const STATUS: Partial<Record<Code, number>> = {
  invalid_request: 400,
  decryption_failed: 400,
  unauthenticated: 401,
  forbidden: 403,
  approval_required: 403,
  export_not_allowed: 403,
  tenant_suspended: 403,
  tenant_blocked: 403,
  tenant_read_only: 403,
  tenant_killed: 403,
  tenant_not_active: 403,
  root_key_disabled: 403,
  root_key_not_found: 403,
  root_key_forbidden: 403,
  root_key_pending_deletion: 403,
  not_found: 404,
  method_not_allowed: 405,
  wrong_state: 409,
  payload_too_large: 413,
  unsupported_media_type: 415,
  wrong_region: 421,
  rate_limited: 429,
  internal: 500,
};
/** Every refusal of Core that is not listed is one of its moments: try again. */
const UNAVAILABLE = 503;
/** Refusals of the parser have the nearest code of the one list. */
const MALFORMED_CODE: Partial<Record<Malformed['status'], Code>> = {
  408: 'request_timeout',
  413: 'payload_too_large',
  431: 'headers_too_large',
};
const TITLES: Readonly<Record<number, string>> = {
  400: 'Bad Request',
  401: 'Unauthorized',
  403: 'Forbidden',
  404: 'Not Found',
  405: 'Method Not Allowed',
  408: 'Request Timeout',
  409: 'Conflict',
  411: 'Length Required',
  413: 'Content Too Large',
  415: 'Unsupported Media Type',
  417: 'Expectation Failed',
  421: 'Misdirected Request',
  429: 'Too Many Requests',
  431: 'Request Header Fields Too Large',
  500: 'Internal Server Error',
  503: 'Service Unavailable',
  505: 'HTTP Version Not Supported',
};

/** An answer before it becomes bytes; `type` and the media type of `body` are one. */
export interface Answer {
  readonly status: number;
  readonly type: string;
  readonly body: string;
  readonly headers: readonly (readonly [string, string])[];
}

export const titleOf = (status: number): string => TITLES[status] ?? 'OK';

/** RFC 9457. */
export function problem(error: KcmError, correlationId: string): Answer {
  const status = STATUS[error.code] ?? UNAVAILABLE;
  const headers: (readonly [string, string])[] = [];
  const retryAfter = error.retryAfterSeconds ?? (status === UNAVAILABLE ? 1 : null);
  if (retryAfter !== null) headers.push(['Retry-After', String(retryAfter)]);
  const body = {
    errors: error.errors.length === 0 ? undefined : error.errors,
    step: error.step ?? undefined,
  };
  return answer(status, error.code, error.message, correlationId, headers, body);
}

export const codeOf = ({ status }: Malformed): Code => MALFORMED_CODE[status] ?? 'invalid_request';

export function malformed(fault: Malformed, correlationId: string): Answer {
  const { status, detail } = fault;
  return answer(status, codeOf(fault), detail, correlationId, [], {});
}

function answer(
  status: number,
  code: Code,
  detail: string,
  correlationId: string,
  headers: readonly (readonly [string, string])[],
  more: object,
): Answer {
  const title = titleOf(status);
  const type = `urn:kcm:problem:${code}`;
  const body = JSON.stringify({ type, title, status, detail, code, correlationId, ...more });
  return { status, type: 'application/problem+json', body, headers };
}
