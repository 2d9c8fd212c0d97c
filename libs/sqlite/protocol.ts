/** What the thread of a store and its writer thread say to each other. */

/** What a parameter or a column may be. Integers beyond 2^53 are refused. */
export type SqlValue = null | number | string | Uint8Array;

export interface Statement {
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
  /** 32-bit mark of whose file this is (PRAGMA application_id). */
  readonly applicationId: number;
  /** One DDL script a schema version; PRAGMA user_version counts those that ran. */
  readonly migrations: readonly string[];
  /** Overwrite deleted content with zeros. */
  readonly secureDelete: boolean;
}
