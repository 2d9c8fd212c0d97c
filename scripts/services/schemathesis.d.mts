/** The folder for PYTHONPATH under which `import schemathesis` works. @throws Error */
export declare function ensureSchemathesis(): Promise<string>;
