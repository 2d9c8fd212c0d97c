export interface RunningMongoStandin {
  /** `127.0.0.1:N` */
  readonly address: string;
  readonly pid: number;
  stop(): Promise<void>;
}
/** The folder of the verified libraries and the compiled main in the user's cache. */
export declare function ensureMongoStandin(): Promise<string>;
/** In memory. @throws Error naming what failed; never resolves without a server */
export declare function startMongoStandin(options?: {
  readonly wire?: number;
  readonly version?: string;
}): Promise<RunningMongoStandin>;
