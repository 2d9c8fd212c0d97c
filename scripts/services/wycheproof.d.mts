/** The folder of the verified vectors, one JSON file a primitive. @throws Error naming the registry */
export declare function ensureWycheproof(): Promise<string>;
