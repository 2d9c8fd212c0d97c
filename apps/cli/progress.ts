import { printableLine } from '@kcm/kernel';
import { setTimeout as sleep } from 'node:timers/promises';
import type { OutputMode } from './output.js';

/** What is quicker says nothing where there is no terminal. */
const QUICK_MS = 700;

/** Says in a few words where the work stands. */
export type Tell = (text: string) => void;
export interface Step {
  readonly title: string;
  readonly work: (tell: Tell) => Promise<unknown>;
}

/**
 * How work goes that takes long, on stderr: drawn on a terminal, else a line whenever it changes;
 * nothing with `--json` or `--quiet`. stdout is the result's alone.
 */
export class Progress {
  constructor(private readonly mode: OutputMode) {}

  /** @throws what the work throws */
  async during<T>(title: string, work: (tell: Tell) => Promise<T>): Promise<T> {
    let done: { readonly value: T } | null = null;
    await this.steps([{ title, work: async (tell) => (done = { value: await work(tell) }) }]);
    return done!.value;
  }

  /** One after the other. @throws what the first that fails throws; the others are not begun */
  async steps(steps: readonly Step[]): Promise<void> {
    if (this.mode.json || this.mode.quiet) {
      for (const { work } of steps) await work(() => {});
    } else if (process.stderr.isTTY) await drawn(steps);
    else for (const step of steps) await spoken(step);
  }

  /** One line beside the result. */
  note(text: string): void {
    if (!this.mode.json && !this.mode.quiet) line(text);
  }
}

const line = (text: string): void => void process.stderr.write(`${printableLine(text)}\n`);

async function drawn(steps: readonly Step[]): Promise<void> {
  // Only here: most commands draw nothing, and it is much to load.
  const { Listr, ListrLogger, ProcessOutput } = await import('listr2');
  const onStderr = new ProcessOutput(process.stderr, process.stderr);
  await new Listr(
    steps.map(({ title, work }) => ({
      title: printableLine(title),
      task: async (_: unknown, task: { output: string }) => {
        await work((text) => (task.output = printableLine(text)));
      },
      rendererOptions: { persistentOutput: true },
    })),
    {
      registerSignalListeners: false,
      rendererOptions: {
        logger: new ListrLogger({ processOutput: onStderr }),
        showErrorMessage: false,
      },
    },
  ).run();
}

/** What is told in the first moment is said when that is over, if the work is not. */
async function spoken({ title, work }: Step): Promise<void> {
  let told = `${title} …`;
  let quick = true;
  const over = new AbortController();
  const later = sleep(QUICK_MS, undefined, { signal: over.signal }).then(
    () => {
      quick = false;
      line(told);
    },
    () => {},
  );
  try {
    await work((text) => {
      const next = `${title}: ${text}`;
      if (next === told) return;
      told = next;
      if (!quick) line(told);
    });
  } finally {
    over.abort();
    await later;
  }
}
