/** What goes wrong with telling traces goes wrong every few seconds; it is said once in a while. */
const QUIET_MS = 10 * 60_000;
const DETAIL_CHARS_MAX = 200;

export class Complaints {
  #saidAt = Number.NEGATIVE_INFINITY;

  constructor(
    private readonly report: (detail: string) => void,
    private readonly now: () => number = () => performance.now(),
  ) {}

  /** @param message of the SDK: text, or an error's own properties as JSON */
  hear(message: string): void {
    const now = this.now();
    if (now - this.#saidAt < QUIET_MS) return;
    this.#saidAt = now;
    this.report(`traces are not delivered: ${wordsOf(message).slice(0, DETAIL_CHARS_MAX)}`);
  }
}

function wordsOf(message: string): string {
  try {
    const { message: text, code } = Object(JSON.parse(message)) as Record<string, unknown>;
    return [text, code].filter((word) => typeof word === 'string' && word !== '').join(' ');
  } catch {
    return message;
  }
}
