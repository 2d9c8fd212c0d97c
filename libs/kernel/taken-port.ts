/** The port that somebody else listens on already; null: the error is another one. */
export function takenPort(error: unknown): number | null {
  if (!(error instanceof Error)) return null;
  const { code, port } = error as NodeJS.ErrnoException & { readonly port?: number };
  return code === 'EADDRINUSE' && port !== undefined ? port : null;
}
