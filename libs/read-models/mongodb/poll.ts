import { activeOf, type Model } from './catalog.js';

const POLL_MS = 50;

/** Finds out by looking what other processes have committed; looks only while somebody cares. */
export class Poll {
  readonly #seen = new Map<string, { readonly all: string; readonly documents: string }>();
  #timer: NodeJS.Timeout | null = null;
  #looking: Promise<void> | null = null;
  /** Writes of this process under way, and those that were. */
  #writing = 0;
  #written = 0;
  #closed = false;

  constructor(
    private readonly read: (names: readonly string[]) => Promise<readonly Model[]>,
    private readonly interest: () => ReadonlySet<string>,
    /** `documents`: they may have changed too, or others are shown. */
    private readonly changed: (name: string, documents: boolean) => void,
  ) {}

  /** Starts looking. What is read after `ready` is not older than the first look. */
  start(): void {
    if (this.#timer !== null || this.#looking !== null || this.#closed) return;
    this.#looking = this.#look().finally(() => {
      this.#looking = null;
      if (this.#closed || this.interest().size === 0) return;
      this.#timer = setTimeout(() => {
        this.#timer = null;
        this.start();
      }, POLL_MS);
      this.#timer.unref();
    });
  }

  /** Looks at a name that nobody was interested in before. */
  async ready(): Promise<void> {
    for (const name of this.interest())
      if (!this.#seen.has(name)) {
        this.start();
        await this.#looking;
        return;
      }
  }

  /** Around a write of this process: what it changes it tells by itself. */
  async own<T>(write: () => Promise<T>): Promise<T> {
    this.#writing += 1;
    try {
      return await write();
    } finally {
      await this.#remember().catch(() => this.#seen.clear());
      this.#writing -= 1;
      this.#written += 1;
    }
  }

  close(): void {
    this.#closed = true;
    if (this.#timer !== null) clearTimeout(this.#timer);
  }

  async #look(): Promise<void> {
    const names = this.interest();
    for (const name of this.#seen.keys()) if (!names.has(name)) this.#seen.delete(name);
    if (names.size === 0) return;
    const written = this.#written;
    // A server that is away tells nothing; what changed meanwhile is found when it is back.
    const models = await this.read([...names]).catch(() => null);
    if (models === null || this.#writing > 0 || this.#written !== written) return;
    const found = new Map(models.map((model) => [model._id, model]));
    for (const name of names) {
      const now = print(found.get(name));
      const before = this.#seen.get(name);
      this.#seen.set(name, now);
      // Who waits may have looked before the first of these looks; who watches reads after it.
      if (before?.all !== now.all)
        this.changed(name, before !== undefined && before.documents !== now.documents);
    }
  }

  async #remember(): Promise<void> {
    this.#seen.clear();
    const names = [...this.interest()];
    if (names.length === 0) return;
    const found = new Map((await this.read(names)).map((model) => [model._id, model]));
    for (const name of names) this.#seen.set(name, print(found.get(name)));
  }
}

function print(model: Model | undefined) {
  const shown = model === undefined ? null : activeOf(model);
  const documents = JSON.stringify([model?.active, shown?.collection, shown?.changed]);
  return { documents, all: `${documents} ${shown?.position ?? ''}` };
}
