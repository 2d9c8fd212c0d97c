/**
 * One Ctrl-C arrives several times: from the terminal, which tells the whole process group, and
 * once more from each parent (npm, our scripts) that passes on what it got.
 */
const SAME_PRESS_MS = 1_000;

/**
 * Stops on SIGTERM or SIGINT and ends the process: 0, or 1 when stopping failed. A signal more
 * than a second after the first ends it at once.
 */
export function stopOnSignal(
  stop: () => Promise<void>,
  failed: (error: unknown) => void = () => undefined,
): void {
  let since: number | null = null;
  const onSignal = (): void => {
    if (since !== null) {
      if (performance.now() - since > SAME_PRESS_MS) process.exit(1);
      return;
    }
    since = performance.now();
    stop().then(
      () => process.exit(0),
      (error: unknown) => {
        failed(error);
        process.exit(1);
      },
    );
  };
  process.on('SIGTERM', onSignal);
  process.on('SIGINT', onSignal);
}
