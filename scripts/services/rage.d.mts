/** The folder for PYTHONPATH under which `import pyrage` works. @throws Error */
export declare function ensureRage(): Promise<string>;
