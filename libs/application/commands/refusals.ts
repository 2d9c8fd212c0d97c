import type { RefusedEvent } from '@kcm/domain';
import {
  type Clock,
  type Code,
  type CommandId,
  eventIdOf,
  type Random,
  rfc3339,
  type Scheduler,
  streamOf,
  uuidv4,
  within,
} from '@kcm/kernel';
import { type Ledger, StreamWriter } from '@kcm/ledger';

export interface Refusal {
  readonly actor: string;
  readonly tenant: string | null;
  readonly code: Code;
  /** Route, e.g. `POST /v1/tenants/:tenant/activate`. */
  readonly action: string;
  readonly resource: string;
  readonly correlationId: string;
}

/** How many refusals of one principal are recorded one by one in a window; the rest are counted. */
const RECORDED_MAX = 60;
/** … and of all people of one tenant: beyond it nobody is named. */
const RECORDED_OF_TENANT_MAX = 600;
const WINDOW_MS = 60_000;
const PRINCIPALS_MAX = 10_000;
/** A ledger that does not say whether it stored a record holds up no answer for longer. */
const RECORD_MS_MAX = 2_000;

interface Window {
  readonly since: number;
  recorded: number;
  readonly counted: Map<string, { refusal: Refusal; count: number }>;
}

/** Journal of refused commands, `refused-{region}.{boot}`; this process is its only writer. */
export class Refusals {
  readonly #writer: StreamWriter;
  readonly #windows = new Map<string, Window>();
  /** `merged`: over the limit of single records, counted into one. `lost`: could not be stored. */
  readonly #counts = { recorded: 0, merged: 0, lost: 0 };

  constructor(
    ledger: Ledger,
    private readonly clock: Clock,
    private readonly random: Random,
    private readonly scheduler: Scheduler,
    private readonly region: string,
    boot: string,
    private readonly onLost: (error: unknown, correlationId: string) => void,
  ) {
    const stream = streamOf('refused', region, boot);
    // A second writer of this stream fails each record, which `onLost` hears of.
    this.#writer = new StreamWriter(ledger, stream, scheduler, () => {});
  }

  /**
   * Resolves once it is recorded or counted, or after 2 s; never throws: the refusal is answered
   * all the same.
   */
  async record(refusal: Refusal): Promise<void> {
    const principal = `${refusal.tenant ?? ''}/${refusal.actor}`;
    const window = await this.#windowOf(principal);
    const all = await this.#windowOf(refusal.tenant ?? '');
    if (window.recorded >= RECORDED_MAX) this.#count(window, refusal);
    else if (all.recorded >= RECORDED_OF_TENANT_MAX)
      this.#count(all, { ...refusal, actor: 'anonymous' });
    else {
      window.recorded += 1;
      all.recorded += 1;
      await this.#write(refusal, 1);
    }
  }

  #count(window: Window, refusal: Refusal): void {
    const kind = `${refusal.code} ${refusal.action}`;
    const row = window.counted.get(kind) ?? { refusal, count: 0 };
    row.count += 1;
    this.#counts.merged += 1;
    window.counted.set(kind, row);
  }

  /** Since the start of the process. */
  get counts(): Readonly<Record<'recorded' | 'merged' | 'lost', number>> {
    return this.#counts;
  }

  /** Writes down what was only counted: at the end of a window and on stop. */
  async flush(): Promise<void> {
    const open = [...this.#windows.values()];
    this.#windows.clear();
    for (const window of open) await this.#close(window);
  }

  async #windowOf(principal: string): Promise<Window> {
    const now = this.clock.monotonicMs();
    const known = this.#windows.get(principal);
    if (known && now - known.since < WINDOW_MS) return known;
    if (this.#windows.size >= PRINCIPALS_MAX) await this.flush();
    const fresh: Window = { since: now, recorded: 0, counted: new Map() };
    this.#windows.set(principal, fresh);
    if (known) await this.#close(known);
    return fresh;
  }

  async #close(window: Window): Promise<void> {
    for (const { refusal, count } of window.counted.values()) await this.#write(refusal, count);
  }

  async #write(refusal: Refusal, count: number): Promise<void> {
    const commandId = uuidv4(this.random) as CommandId;
    const { code, action, resource } = refusal;
    const event: RefusedEvent = {
      type: 'CommandRefused',
      data: { code, action, resource, count },
    };
    const written = this.#writer
      .write({
        id: eventIdOf(commandId, this.#writer.stream, 0),
        ...event,
        schemaVersion: 1,
        meta: {
          commandId,
          fingerprint: '',
          tenant: refusal.tenant,
          actor: refusal.actor,
          origin: this.region,
          term: 1,
          epoch: 0,
          occurredAt: rfc3339(this.clock.wallMs()),
          correlationId: refusal.correlationId,
          causationId: commandId,
        },
      })
      .then(
        () => void (this.#counts.recorded += 1),
        (error: unknown) => {
          this.#counts.lost += count;
          this.onLost(error, refusal.correlationId);
        },
      );
    await within(this.scheduler, RECORD_MS_MAX, written);
  }
}
