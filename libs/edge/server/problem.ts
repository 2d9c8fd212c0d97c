import { type Code, httpStatusOf, type KcmError } from '@kcm/kernel';
import type { Malformed } from './http-reader.js';

/** Nobody connects a keystore here: what went wrong with one is a moment of Core's, or access is. */
const AT_USE: Partial<Record<Code, number>> = {
  tenant_not_active: 403,
  keystore_auth_failed: 503,
  keystore_wrong_algorithm: 503,
  keystore_address_refused: 503,
};
/** Try again. */
const UNAVAILABLE = 503;
/** Refusals of the parser have the nearest code of the one list. */
const MALFORMED_CODE: Partial<Record<Malformed['status'], Code>> = {
  408: 'request_timeout',
  413: 'payload_too_large',
  429: 'rate_limited',
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
  412: 'Precondition Failed',
  413: 'Content Too Large',
  415: 'Unsupported Media Type',
  417: 'Expectation Failed',
  421: 'Misdirected Request',
  422: 'Unprocessable Content',
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
  /** Of a refusal. */
  readonly code?: Code;
}

export const titleOf = (status: number): string => TITLES[status] ?? 'OK';

const statusOf = (code: Code): number => AT_USE[code] ?? httpStatusOf(code);

/** RFC 9457. */
export function problem(error: KcmError, correlationId: string): Answer {
  const status = statusOf(error.code);
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
  const headers = status === 429 ? ([['Retry-After', '1']] as const) : [];
  return answer(status, codeOf(fault), detail, correlationId, headers, {});
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
  return { status, type: 'application/problem+json', body, headers, code };
}
