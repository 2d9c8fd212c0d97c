/** A strace that runs; `env` is to be added to its environment. @throws Error */
export declare function ensureStrace(): Promise<{ program: string; env: Record<string, string> }>;

/** The path of libfaketime for LD_PRELOAD, the build for programs with threads. @throws Error */
export declare function ensureFaketime(): Promise<string>;
