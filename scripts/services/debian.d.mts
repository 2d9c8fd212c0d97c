/** A strace that runs; `env` is to be added to its environment. @throws Error */
export declare function ensureStrace(): Promise<{ program: string; env: Record<string, string> }>;

/** The path of libfaketime for LD_PRELOAD, the build for programs with threads. @throws Error */
export declare function ensureFaketime(): Promise<string>;
/** A GnuPG that runs; `args` and `env` are to be added to the child's. @throws Error */
export declare function ensureGpg(): Promise<{
  readonly program: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
}>;
