/** Collects all garbage, before it returns; null in a process that runs without --expose-gc. */
export function exposedGc(): (() => void) | null {
  const { gc } = globalThis as { gc?: () => void };
  return typeof gc === 'function' ? () => gc() : null;
}

/**
 * Collects what has been let go of by then, and not within this turn of the loop: a key's handle
 * keeps its bytes until that. Without --expose-gc it is left to the collector.
 */
export function collectSoon(afterMs = 0): void {
  const gc = exposedGc();
  if (gc === null) return;
  setTimeout(() => {
    gc();
    // What ended with the first one, and what it left for later.
    setImmediate(gc);
  }, afterMs).unref();
}
