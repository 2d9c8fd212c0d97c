/** Exit codes of `kcm`. */
export const EXIT = { done: 0, refused: 1, usage: 2, unreachable: 3, waiting: 4 } as const;

/** The words of the call are off; the message says what to do next. */
export class UsageError extends Error {}

/** Nobody answers there: not started, stopped, or cut off in the middle of an answer. */
export class Unreachable extends Error {
  constructor(
    message: string,
    /** It may have come there all the same. */
    readonly sent = false,
    /** Somebody is there, and does not answer. */
    readonly late = false,
  ) {
    super(message);
  }

  static at(where: string, cause: unknown): Unreachable {
    // Of AbortSignal.timeout.
    if ((cause as { name?: unknown }).name === 'TimeoutError') {
      const text = `${where} does not answer. \`kcm doctor\` looks at what is here.`;
      return new Unreachable(text, true, true);
    }
    const code = (cause as { cause?: { code?: string } }).cause?.code ?? 'no answer';
    return new Unreachable(
      `${where} cannot be reached (${code}). Is it running? \`kcm doctor\` looks at what is here.`,
      !UNSENT.has(code),
    );
  }
}
const UNSENT: ReadonlySet<string> = new Set(['ECONNREFUSED', 'ENOTFOUND']);

export interface ProblemBody {
  readonly code: string;
  readonly detail: string;
  readonly correlationId?: string;
  readonly step?: string;
  readonly errors?: readonly {
    readonly path: string;
    readonly code: string;
    readonly detail: string;
  }[];
}

/** What to do about each refusal. */
const NEXT: { readonly [code: string]: string } = {
  invalid_request: 'Correct what is named (`--help` after the command shows its options).',
  unauthenticated: 'Set KCM_TOKEN to a valid token (`kcm token create` makes one).',
  forbidden: 'Use the token of somebody who may (`kcm token create --role …` makes one).',
  not_found: 'Look with the matching `list` command; another tenant’s is not found either.',
  method_not_allowed: 'Is `kcm --version` the version of the server (`kcm status`)?',
  payload_too_large: 'Send less at once.',
  unsupported_media_type: 'Is `kcm --version` the version of the server (`kcm status`)?',
  request_timeout: 'Send it again.',
  headers_too_large: 'Use a shorter token: fewer roles or claims.',
  revision_conflict: 'Somebody else changed it in between: look at it, and try again.',
  precondition_failed: 'Somebody else changed it in between: look at it, and try again.',
  wrong_state: 'Look at it with the matching `show` command first.',
  already_exists: 'Choose another id, or look at the one that is there.',
  wrong_region: 'Ask the region that the tenant is at home in.',
  approval_required: 'This needs the approval of several people.',
  idempotency_key_reused: 'Use a new key for another request.',
  rate_limited: 'Ask again in a moment, or when what is refused says.',
  sealed: 'Unseal the region first: `kcm unseal --share -`.',
  ledger_unavailable: 'Look at `kcm doctor` and at the disk of the server.',
  messaging_unavailable: 'Look at the broker and at the line to it; what was refused is repeated.',
  core_unavailable: 'Is that process up, and its address right? Then send it again.',
  read_model_behind: 'Ask again in a moment; `kcm doctor` names a read model that stands still.',
  root_key_disabled: 'The customer enables the key in its keystore; then `kcm rootkey probe`.',
  root_key_not_found: 'The customer checks that the key is there; then `kcm rootkey probe`.',
  root_key_forbidden:
    'The customer lets us use the key (`kcm rootkey trust-policy`); then `kcm rootkey probe`.',
  root_key_pending_deletion: 'The customer cancels the deletion; then `kcm rootkey probe`.',
  root_key_unreachable: 'Is the keystore up, and its address right? Then `kcm rootkey probe`.',
  root_key_throttled: 'The keystore wants fewer calls: ask again in a moment.',
  root_key_in_use: 'Use a key that no other tenant uses.',
  keystore_auth_failed: 'Check the credentials, and connect again.',
  keystore_wrong_algorithm: 'Use a key that can encrypt and decrypt.',
  keystore_address_refused: 'The operator allows the address by KCM_EGRESS_ALLOW.',
  tenant_suspended:
    '`kcm revocation list` names it; another person than who suspended releases it.',
  tenant_blocked: 'The platform’s operator lifts it: `kcm tenant unblock`.',
  tenant_read_only: '`kcm revocation list` names it; another person than who locked releases it.',
  tenant_killed: 'A kill is final: `kcm revocation list` names it.',
  tenant_not_active: 'Activate it first: `kcm tenant activate`.',
  key_not_active: 'Activate the version, or rotate the key (`kcm key rotate`).',
  key_compromised: 'Rewrap what it protects, or have a key-admin allow processing for a while.',
  key_archived: 'A key-admin recovers the version first (`kcm key recover`).',
  key_destroyed: 'It does not come back: what it protected is lost.',
  key_in_use: 'Rewrap what hangs from the version first; the detail says how much that is.',
  lease_expired:
    'The Edge has no proof of the root key any more: `kcm leases`, `kcm rootkey probe`.',
  export_not_allowed: 'The policy of the tenant does not allow it.',
  decryption_failed: 'Give the same tenant, service and --context as when it was encrypted.',
  share_refused: 'Give a share of this region, unchanged; `kcm unseal --reset` begins anew.',
  integrity: 'Keep what there is as it is, and look at `kcm doctor` and the server’s log.',
  unexpected: 'Is it an OpenKCM (KCM_URL), of the version that `kcm --version` names?',
  internal: 'The server’s log names the cause under the correlation id.',
};
/** Of a keystore's own words. */
const OTHER = '`--help` after the command shows an example.';

/** What may be otherwise in a moment, for who goes on by itself. */
const PASSING: ReadonlySet<string> = new Set([
  'sealed',
  'read_model_behind',
  'ledger_unavailable',
  'rate_limited',
]);
export const passes = (error: unknown): boolean =>
  error instanceof Unreachable || (error instanceof Refused && PASSING.has(error.problem.code));

/** After these nobody knows whether a command was taken, or a lock acts that is not recorded. */
const UNDECIDED: ReadonlySet<string> = new Set([
  'ledger_unavailable',
  'read_model_behind',
  'internal',
  'unexpected',
]);

/** What failed, with the words that send the same command again where that is of use. */
export function repeatable(error: unknown, key: string): unknown {
  const open =
    error instanceof Refused
      ? UNDECIDED.has(error.problem.code)
      : error instanceof Unreachable && error.sent;
  if (open && error instanceof Error)
    error.message += `\nTo send it again as the same command: … --idempotency-key '${key}'`;
  return error;
}

/** The server said no. */
export class Refused extends Error {
  constructor(readonly problem: ProblemBody) {
    const lines = [`${problem.detail} [${problem.code}]`];
    if (problem.step) lines.push(`  failed at: ${problem.step}`);
    for (const { path, code, detail } of problem.errors ?? [])
      lines.push(`  ${path}: ${detail} [${code}]`);
    lines.push(NEXT[problem.code] ?? OTHER);
    if (problem.correlationId) lines.push(`Correlation id ${problem.correlationId}`);
    super(lines.join('\n'));
  }
}
