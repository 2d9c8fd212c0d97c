export interface RunningOpenBao {
  /** `http://127.0.0.1:N` */
  readonly address: string;
  readonly rootToken: string;
  /** JSON lines; X-Correlation-Id stands in clear under request.headers. */
  readonly auditFile: string;
  readonly pid: number;
  stop(): Promise<void>;
}
export declare function cacheFolder(): string;
/** The path of the verified program in the user's cache. */
export declare function ensureOpenBao(): Promise<string>;
/** Dev mode, in memory. @throws Error naming what failed; never resolves without a server */
export declare function startOpenBao(options: {
  readonly dir: string;
  /** Without its audit file: default with it. */
  readonly audit?: boolean;
}): Promise<RunningOpenBao>;
