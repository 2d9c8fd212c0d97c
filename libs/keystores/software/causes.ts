import type { CauseTable, Meaning } from '../cause-table.js';

const denied = (code: Meaning['code'], step: Meaning['step'], detail: string): Meaning => ({
  cause: 'denied',
  code,
  step,
  detail,
});

/** Keyed by `{HTTP status} {error}` as apps/keystore answers; what is not here is indeterminate. */
export const SOFTWARE_CAUSES: CauseTable = {
  '401 unauthenticated': {
    cause: 'credential',
    code: 'keystore_auth_failed',
    step: 'auth',
    detail: 'The keystore does not know the token.',
  },
  '403 forbidden': denied('root_key_forbidden', 'policy', 'The token is not for this key.'),
  '403 access_withdrawn': denied(
    'root_key_forbidden',
    'policy',
    'The customer has withdrawn the access of this token.',
  ),
  '404 key_not_found': denied('root_key_not_found', 'not_found', 'There is no such key.'),
  '410 key_deleted': denied('root_key_not_found', 'not_found', 'The key has been deleted.'),
  '409 key_disabled': denied('root_key_disabled', 'state', 'The customer has disabled the key.'),
  '409 key_pending_deletion': denied(
    'root_key_pending_deletion',
    'state',
    'The key is scheduled for deletion.',
  ),
  '422 integrity_failed': {
    cause: 'integrity',
    code: 'integrity',
    step: 'algorithm',
    detail: 'The keystore could not open this blob for this tenant, key and version.',
  },
  '429 throttled': {
    cause: 'indeterminate',
    code: 'root_key_throttled',
    step: 'network',
    detail: 'The keystore takes no more calls for the moment.',
  },
  '200 wrong_algorithm': {
    cause: 'indeterminate',
    code: 'keystore_wrong_algorithm',
    step: 'algorithm',
    detail: 'The key is not an AES-256-GCM key.',
  },
};
