/** What the terminal at the other end of a stream can show. */
export interface Terminal {
  /** null: it is none, and nothing is fitted to it. */
  readonly columns: number | null;
  readonly colour: boolean;
}

interface Stream {
  readonly isTTY?: boolean;
  readonly columns?: number;
}

/** `--no-color` is told as NO_COLOR (no-color.org), which who draws progress reads too. */
export function terminalOf(stream: Stream, env: NodeJS.ProcessEnv): Terminal {
  if (stream.isTTY !== true) return { columns: null, colour: false };
  const colour = !env['NO_COLOR'] && env['TERM'] !== 'dumb';
  return { columns: stream.columns ?? null, colour };
}
