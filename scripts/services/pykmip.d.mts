/** The folder for PYTHONPATH under which `import kmip` works. @throws Error */
export declare function ensurePyKmip(): Promise<string>;
