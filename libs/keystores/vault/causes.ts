import type { CauseTable, Meaning } from '../cause-table.js';

const denied = (code: Meaning['code'], step: Meaning['step'], detail: string): Meaning => ({
  cause: 'denied',
  code,
  step,
  detail,
});
const credential = (detail: string): Meaning => ({
  cause: 'credential',
  code: 'keystore_auth_failed',
  step: 'auth',
  detail,
});
const indeterminate = (code: Meaning['code'], step: Meaning['step'], detail: string): Meaning => ({
  cause: 'indeterminate',
  code,
  step,
  detail,
});

/**
 * What OpenBao and HashiCorp Vault answered, as `diagnose.ts` established it. The servers answer
 * 400 for a deleted, soft-deleted, too old or tampered thing alike and 403 for a dead token and a
 * withdrawn policy alike, so a status alone is only listed where it means one thing.
 */
export const VAULT_CAUSES: CauseTable = {
  'key absent': denied('root_key_not_found', 'not_found', 'There is no such key (any more).'),
  'key another': denied(
    'root_key_not_found',
    'not_found',
    'The key that was connected is gone; another one stands under its name.',
  ),
  'key soft-deleted': denied(
    'root_key_pending_deletion',
    'state',
    'The key is soft-deleted: unusable until it is restored.',
  ),
  'key version disabled': denied(
    'root_key_disabled',
    'state',
    'The key’s min_decryption_version is above the version that is needed.',
  ),
  'key wrong algorithm': indeterminate(
    'keystore_wrong_algorithm',
    'algorithm',
    'The key must be a transit key of type aes256-gcm96 or chacha20-poly1305.',
  ),
  'key unreadable': indeterminate(
    'root_key_unreachable',
    'policy',
    'The policy lets the token use the key but not read its state, so its refusal cannot be told.',
  ),
  'policy withdrawn': denied(
    'root_key_forbidden',
    'policy',
    'The token is alive and its policies do not allow this call.',
  ),
  'token dead': credential('The token is unknown, expired or revoked.'),
  'login refused': credential('The AppRole login was refused.'),
  'blob refused': {
    cause: 'integrity',
    code: 'integrity',
    step: 'algorithm',
    detail: 'The key could not open this blob for this tenant, key and version.',
  },
  'server another': indeterminate(
    'root_key_unreachable',
    'network',
    'Another server than the one that was connected answers at this address.',
  ),
  '429': indeterminate(
    'root_key_throttled',
    'network',
    'The keystore takes no more calls for the moment.',
  ),
  sealed: indeterminate('root_key_unreachable', 'state', 'The keystore is sealed.'),
};
