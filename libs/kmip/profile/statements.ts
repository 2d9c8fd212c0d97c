/** What an Edge signs with its certificate's key (ES256, compact JWS, payload RFC 8785). */
export interface AckStatement {
  readonly boot: string;
  /** What was notified: the tenant's anchor or one service key. */
  readonly uid: string;
  readonly term: number;
  readonly epoch: number;
  /** RFC 3339: from then on new use is refused; `kept`: new protection is. */
  readonly refusedAt: string;
  /**
   * RFC 3339 when a collection was seen to take every key; else `dropped-unconfirmed`. `kept` of a
   * read-only: nothing was dropped, and nothing is protected any more.
   */
  readonly erasedAt: string;
  /** Key handles dropped. */
  readonly handles: number;
}
export interface UsageStatement {
  readonly boot: string;
  /** From 1, no gaps within a boot. */
  readonly seq: number;
  /** SHA-256 (hex) of the statement before it in RFC 8785 form; null for the first. */
  readonly previous: string | null;
  /** RFC 3339. */
  readonly from: string;
  readonly to: string;
  /** None in one that only closes grants, or is the last. */
  readonly entries: readonly UsageStatementEntry[];
  /** Never empty: grants that ended; this report and those before hold all that was done by them. */
  readonly closed?: readonly UsageStatementClosed[];
  /** The boot stops in order and has told everything: each report before it was recorded. */
  readonly last?: true;
}
export const USAGE_OPERATIONS = [
  'encrypt',
  'decrypt',
  'dataKey',
  'dataKeyUnwrap',
  'rewrapFrom',
  'rewrapTo',
] as const;
export type UsageOperation = (typeof USAGE_OPERATIONS)[number];
export interface UsageStatementClosed {
  /** `{tenant}/{key id}/{version}`. */
  readonly uid: string;
  readonly grantId: string;
}
export interface UsageStatementEntry {
  readonly tenant: string;
  /** `-` with version 0: refused before any key was known. */
  readonly key: string;
  readonly version: number;
  readonly operation: UsageOperation;
  readonly ok: number;
  /** By code. */
  readonly refused: { readonly [code: string]: number };
  readonly bytes: number;
  /**
   * Of `rewrapFrom` alone, never empty: the first 8 bytes (base64url) of the SHA-256 of each record
   * or wrapped data key that was moved off the version, as it was before.
   */
  readonly moved?: readonly string[];
}
