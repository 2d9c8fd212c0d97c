import { KcmError, printableText, readTextFile, systemClock } from '@kcm/kernel';
import {
  checkBackup,
  exportLedger,
  importLedger,
  placeOf,
  restoreBackup,
  withLedger,
  withNewLedger,
} from './index.js';
import { MoveRefused } from './refusal.js';

const USAGE =
  'usage: node dist/apps/ledger/main.js export|import FILE [--quiet]\n' +
  '       node dist/apps/ledger/main.js check|restore FILE CHECKPOINT [--quiet]\n';
const TOLD_MS = 1_000;

const words = process.argv.slice(2).filter((word) => word !== '--quiet');
const quiet = words.length < process.argv.length - 2;
const [verb = '', file = '', checkpoint = ''] = words;

/** At most a line a second, on stderr. */
function progress(): (events: number) => void {
  let next = Date.now() + TOLD_MS;
  return (events) => {
    if (quiet || Date.now() < next) return;
    next = Date.now() + TOLD_MS;
    process.stderr.write(`${events} events\n`);
  };
}

const place = () => placeOf(process.env);
const VERBS: { readonly [verb: string]: { words: 2 | 3; run: () => Promise<object> } } = {
  export: {
    words: 2,
    run: () => withLedger(place(), (ledger) => exportLedger(ledger, file, progress())),
  },
  import: {
    words: 2,
    run: () =>
      withNewLedger(place(), (ledger) => importLedger(ledger, file, systemClock, progress())),
  },
  check: { words: 3, run: () => checkBackup(file, readTextFile(checkpoint)) },
  restore: {
    words: 3,
    run: () => restoreBackup(place(), file, readTextFile(checkpoint), systemClock, progress()),
  },
};

const chosen = Object.hasOwn(VERBS, verb) ? VERBS[verb] : undefined;
if (chosen === undefined || words.length !== chosen.words) {
  process.stderr.write(USAGE);
  process.exit(2);
}
try {
  process.stdout.write(`${JSON.stringify(await chosen.run(), null, 2)}\n`);
} catch (error) {
  const code = error instanceof MoveRefused || error instanceof KcmError ? `${error.code}: ` : '';
  const message = error instanceof Error ? error.message : String(error);
  process.stderr.write(`kcm: ${code}${printableText(message)}\n`);
  process.exitCode = 1;
}
