export interface RunningKafka {
  /** `127.0.0.1:N` */
  readonly brokers: string;
  /** Of a `secured` one: `127.0.0.1:N` of each further door. */
  readonly doors: Readonly<Record<'MTLS' | 'SCRAM' | 'BARE', string>>;
  readonly port: number;
  readonly pid: number;
  stop(): Promise<void>;
}
/** PEM texts, and who may log in: letters, digits and "-" alone. */
export interface KafkaSecurity {
  readonly ca: string;
  readonly certificate: string;
  readonly privateKey: string;
  readonly users: readonly {
    readonly mechanism: 'scram-sha-512' | 'scram-sha-256';
    readonly user: string;
    readonly password: string;
  }[];
}
export declare function cacheFolder(): string;
/** The folder of the verified jars in the user's cache. @throws Error naming what it lacks */
export declare function ensureKafka(): Promise<string>;
/** One KRaft node with no topic. @throws Error naming what failed; never resolves without it */
export declare function startKafka(options: {
  readonly dir: string;
  /** Of an ended broker in the same `dir`: it goes on there. Default: a free one. */
  readonly port?: number;
  /** A new broker only: doors with TLS and log-ins besides the plain one. */
  readonly secured?: KafkaSecurity;
  /** A new broker only: the port that it sends its clients to, of what stands before it. */
  readonly advertised?: number;
}): Promise<RunningKafka>;
