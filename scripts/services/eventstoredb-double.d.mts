export interface RunningDouble {
  readonly url: string;
  stop(): Promise<void>;
}
/** A double, in a process of its own that ends with this one. @throws Error when it does not start */
export declare function startEventStoreDouble(): Promise<RunningDouble>;
