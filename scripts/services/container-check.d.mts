/** The path of the program that reads the container files. @throws Error */
export declare function ensureContainerCheck(): string;
