import { KcmError, printableText, systemClock } from '@kcm/kernel';
import { exportLedger, importLedger, placeOf, withLedger, withNewLedger } from './index.js';
import { MoveRefused } from './refusal.js';

const USAGE = 'usage: node dist/apps/ledger/main.js export|import FILE [--quiet]\n';
const TOLD_MS = 1_000;

const words = process.argv.slice(2).filter((word) => word !== '--quiet');
const quiet = words.length < process.argv.length - 2;
const [verb, file] = words;

/** At most a line a second, on stderr. */
function progress(): (events: number) => void {
  let next = Date.now() + TOLD_MS;
  return (events) => {
    if (quiet || Date.now() < next) return;
    next = Date.now() + TOLD_MS;
    process.stderr.write(`${events} events\n`);
  };
}

if (words.length !== 2 || (verb !== 'export' && verb !== 'import')) {
  process.stderr.write(USAGE);
  process.exit(2);
}
try {
  const place = placeOf(process.env);
  const done =
    verb === 'export'
      ? await withLedger(place, (ledger) => exportLedger(ledger, file!, progress()))
      : await withNewLedger(place, (ledger) =>
          importLedger(ledger, file!, systemClock, progress()),
        );
  process.stdout.write(`${JSON.stringify(done, null, 2)}\n`);
} catch (error) {
  const code = error instanceof MoveRefused || error instanceof KcmError ? `${error.code}: ` : '';
  const message = error instanceof Error ? error.message : String(error);
  process.stderr.write(`kcm: ${code}${printableText(message)}\n`);
  process.exitCode = 1;
}
