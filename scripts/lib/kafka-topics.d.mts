/** `brokers`: `host:port,…`. @throws Error when the broker does not take them */
export declare function makeTopics(brokers: string): Promise<void>;
