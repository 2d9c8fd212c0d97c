export interface RunningKafka {
  /** `127.0.0.1:N` */
  readonly brokers: string;
  readonly port: number;
  readonly pid: number;
  stop(): Promise<void>;
}
export declare function cacheFolder(): string;
/** The folder of the verified jars in the user's cache. @throws Error naming what it lacks */
export declare function ensureKafka(): Promise<string>;
/** One KRaft node with no topic. @throws Error naming what failed; never resolves without it */
export declare function startKafka(options: {
  readonly dir: string;
  /** Of an ended broker in the same `dir`: it goes on there. Default: a free one. */
  readonly port?: number;
}): Promise<RunningKafka>;
