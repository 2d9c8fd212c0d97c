/** What a store and its writer thread say to each other. */

/** What a parameter or a column may be. Integers beyond 2^53 are refused. */
export type SqlValue = null | number | string | Uint8Array;

export interface Statement {
  /** Constant text: values go into `params` (prepared statements are kept by their text). */
  readonly sql: string;
  readonly params?: readonly SqlValue[];
  /** The whole job is rolled back unless exactly so many rows change. */
  readonly changes?: number;
}
/** What one statement did. */
export interface Written {
  readonly changes: number;
  /** Rowid of the last row inserted by this connection. */
  readonly rowid: number;
}

export interface StoreSettings {
  readonly file: string;
  readonly applicationId: number;
  readonly migrations: readonly string[];
  readonly secureDelete: boolean;
}
export interface WriterData {
  readonly settings: StoreSettings;
  /** One Int32: raised and notified after each request, so that the thread sleeps in a futex. */
  readonly bell: Int32Array<SharedArrayBuffer>;
}

/**
 * Jobs flattened, because one flat array crosses threads much cheaper than objects. A job is the
 * number of its statements, then for each: index of the text, changes or -1, number of params,
 * params.
 */
export type Cell = SqlValue;
export type Request =
  | {
      readonly kind: 'batch';
      readonly jobs: number;
      readonly cells: readonly Cell[];
      /** Texts not sent before; they continue the thread's list. */
      readonly texts: readonly string[];
      /** The list starts anew with `texts`. */
      readonly forget: boolean;
    }
  | { readonly kind: 'truncate' }
  | { readonly kind: 'close' };

/** First cell of a job's result. */
export const VERDICT = { written: 0, refused: 1, invalid: 2 } as const;

/**
 * Why nothing of a request was acknowledged. `lost`: a sync failed; nothing is accepted any more.
 * `moved`: no name leads to the file; it stays open, for what it holds may be nowhere else.
 */
export type Failure = 'full' | 'unavailable' | 'unknown' | 'damaged' | 'lost' | 'moved';
export type Reply =
  | { readonly kind: 'ready' }
  /**
   * A job's cells: 0, then changes and rowid of each statement · 1, statement, SQLite's extended
   * result code or -1, message · 2, statement, message.
   */
  | {
      readonly kind: 'done';
      readonly cells: readonly (number | string)[];
      /** How many jobs the transaction kept; 0: nothing was committed. */
      readonly kept: number;
    }
  | { readonly kind: 'failed'; readonly failure: Failure; readonly detail: string };
