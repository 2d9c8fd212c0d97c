/** Exit codes of `kcm`. */
export const EXIT = { done: 0, refused: 1, usage: 2, unreachable: 3, waiting: 4 } as const;

/** The words of the call are off; the message says what to do next. */
export class UsageError extends Error {}

/** Nobody answers there: not started, stopped, or cut off in the middle of an answer. */
export class Unreachable extends Error {
  static at(where: string, cause: unknown): Unreachable {
    const code = (cause as { cause?: { code?: string } }).cause?.code ?? 'no answer';
    return new Unreachable(`${where} cannot be reached (${code}). Is it running?`);
  }
}

export interface ProblemBody {
  readonly code: string;
  readonly detail: string;
  readonly correlationId?: string;
  readonly step?: string;
  readonly errors?: readonly {
    readonly path: string;
    readonly code: string;
    readonly detail: string;
  }[];
}

const NEXT: { readonly [code: string]: string } = {
  unauthenticated: 'Set KCM_TOKEN to a valid token (`kcm token create` makes one).',
  forbidden: 'Use a token that has this role (`kcm token create --role …`).',
  sealed: 'Unseal the region first: `kcm unseal --share …`.',
  approval_required: 'This needs the approval of several people.',
  read_model_behind: 'Ask again in a moment.',
  ledger_unavailable: 'Look at `kcm status` and at the disk of the server.',
};

/** What may be otherwise in a moment, for who goes on by itself. */
const PASSING: ReadonlySet<string> = new Set([
  'sealed',
  'read_model_behind',
  'ledger_unavailable',
  'rate_limited',
]);
export const passes = (error: unknown): boolean =>
  error instanceof Unreachable || (error instanceof Refused && PASSING.has(error.problem.code));

/** The server said no. */
export class Refused extends Error {
  constructor(readonly problem: ProblemBody) {
    const lines = [`${problem.detail} [${problem.code}]`];
    if (problem.step) lines.push(`  failed at: ${problem.step}`);
    for (const { path, code, detail } of problem.errors ?? [])
      lines.push(`  ${path}: ${detail} [${code}]`);
    const next = NEXT[problem.code];
    if (next) lines.push(next);
    if (problem.correlationId) lines.push(`Correlation id ${problem.correlationId}`);
    super(lines.join('\n'));
  }
}
