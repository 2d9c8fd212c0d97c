/** The folder for PYTHONPATH under which the consumer in Python runs. @throws Error */
export declare function ensureConfluentKafka(): Promise<string>;
