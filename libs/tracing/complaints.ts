/** What goes wrong with telling traces goes wrong every few seconds; it is said once in a while. */
const QUIET_MS = 10 * 60_000;
const DETAIL_CHARS_MAX = 200;
const KIND_CHARS_MAX = 40;
const KINDS_MAX = 50;
const DELIVERY = 'traces are not delivered';

export class Complaints {
  /** When each kind was last said. */
  readonly #saidAt = new Map<string, number>();

  constructor(
    private readonly report: (detail: string) => void,
    private readonly now: () => number = () => performance.now(),
  ) {}

  /** @param message of the SDK: text, or an error's own properties as JSON */
  hear(message: string): void {
    const { words, undelivered } = read(message);
    // A setting that the SDK does not know must not hide that the collector is away.
    const kind = undelivered ? DELIVERY : words.replace(/\d+/g, '').slice(0, KIND_CHARS_MAX);
    const now = this.now();
    if (now - (this.#saidAt.get(kind) ?? Number.NEGATIVE_INFINITY) < QUIET_MS) return;
    if (this.#saidAt.size >= KINDS_MAX) this.#saidAt.clear();
    this.#saidAt.set(kind, now);
    const about = undelivered ? DELIVERY : 'tracing';
    this.report(`${about}: ${words.slice(0, DETAIL_CHARS_MAX)}`);
  }
}

/** An exporter's failure comes as an error, or in these words; all else is about settings. */
const UNDELIVERED = /^(export|Dropped \d+ spans)/;

function read(message: string): { readonly words: string; readonly undelivered: boolean } {
  try {
    const { message: text, code } = Object(JSON.parse(message)) as Record<string, unknown>;
    const words = [text, code].filter((word) => typeof word === 'string' && word !== '');
    return { words: words.join(' '), undelivered: true };
  } catch {
    return { words: message, undelivered: UNDELIVERED.test(message) };
  }
}
