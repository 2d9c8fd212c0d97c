/** One after the other, in the order of the calls. */
export class Turns {
  #last: Promise<unknown> = Promise.resolve();

  /** Runs `act` when all earlier ones have ended, however they ended. */
  take<T>(act: () => Promise<T>): Promise<T> {
    const mine = this.#last.then(act, act);
    this.#last = mine.catch(() => undefined);
    return mine;
  }
}

/** Turns by name; what is over leaves nothing behind. */
export class KeyedTurns {
  readonly #last = new Map<string, Promise<unknown>>();

  /** Runs `act` when all earlier ones of this name have ended, however they ended. */
  async take<T>(name: string, act: () => Promise<T>): Promise<T> {
    const before = this.#last.get(name) ?? Promise.resolve();
    const mine = before.then(act, act);
    this.#last.set(name, mine);
    try {
      return await mine;
    } finally {
      if (this.#last.get(name) === mine) this.#last.delete(name);
    }
  }
}
