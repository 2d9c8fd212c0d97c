/** Every refusal of the keystore; its HTTP status stands beside it and nowhere else. */
export const REFUSALS = {
  bad_request: 400,
  unauthenticated: 401,
  forbidden: 403,
  access_withdrawn: 403,
  key_not_found: 404,
  no_such_route: 404,
  already_exists: 409,
  key_disabled: 409,
  key_pending_deletion: 409,
  key_deleted: 410,
  too_large: 413,
  integrity_failed: 422,
  internal: 500,
} as const;
export type RefusalCode = keyof typeof REFUSALS;

export class Refusal extends Error {
  constructor(
    readonly code: RefusalCode,
    detail: string,
  ) {
    super(detail);
    this.name = 'Refusal';
  }
}
