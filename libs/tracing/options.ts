export type Env = Readonly<Record<string, string | undefined>>;

export interface TracingOptions {
  /** As a trace names this program, unless OTEL_SERVICE_NAME says otherwise. */
  readonly service: string;
  readonly region: string;
  /** Something about tracing does not work; the program does. Must not throw. */
  readonly report: (detail: string) => void;
}
