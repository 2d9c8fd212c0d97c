/** What `POST …/root-keys` takes. */
export interface RootKeyConnection {
  readonly keystore: string;
  readonly reference: Readonly<Record<string, string>>;
  readonly credentials: Readonly<Record<string, string>>;
}
/** One call of ours as the customer's own log shows it. */
export interface LoggedCall {
  /** The call id that we sent along. */
  readonly callId: string | null;
  readonly operation: 'wrap' | 'unwrap' | 'other';
}

/** A customer's KMS with the one key that our platform may use. We hold no admin right on it. */
export interface CustomerKms {
  /** The key that exists. */
  readonly connection: RootKeyConnection;
  /** Wrong on purpose: a key that is not there, and credentials that are not known. */
  readonly noSuchKey: RootKeyConnection;
  readonly wrongCredentials: RootKeyConnection;
  /** How this customer takes the key away and gives it back, in the words of its KMS. */
  readonly words: { readonly takeAway: string; readonly giveBack: string };
  /** The code with which the tenant is then refused. */
  readonly code: string;
  /** The customer's own log. */
  readonly auditFile: string;
  takeAway(): Promise<void>;
  giveBack(): Promise<void>;
  /** Every call for the key that its log shows. */
  calls(): readonly LoggedCall[];
  stop(): Promise<void>;
}

export const uses = (kms: CustomerKms): number =>
  kms.calls().filter(({ operation }) => operation !== 'other').length;
