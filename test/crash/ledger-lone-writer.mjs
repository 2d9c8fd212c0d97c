/**
 * A lone writer, for faults that are injected at a certain system call: it appends so many times
 * to one stream and ends as if it were killed, so that nothing is tidied up behind it.
 * One line a fact on stdout, written at once: `open` · `ok append position` · `failed name code`
 * (the append is repeated after a moment, at most three times) · `end`. A lost ledger is said on
 * stderr and ends it with 3.
 * Arguments: ledger file, run, appends, bytes of filling.
 */
import { writeSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { systemRandom } from '../../dist/libs/kernel/index.js';
import { openSqliteLedger } from '../../dist/libs/ledger/sqlite/index.js';
import { appendOf, streamOf } from './ledger-appends.mjs';

const [file, run, count] = process.argv.slice(2);
const REPEATS = 3;
const say = (...words) => writeSync(1, `${words.join(' ')}\n`);

const ledger = await openSqliteLedger({
  file,
  random: systemRandom,
  onLost(error) {
    writeSync(2, `${error.code} ${error.message}\n`);
    process.exit(3);
  },
});
say('open');
let expected = 'noStream';
for (let append = 0; append < Number(count); append += 1) {
  for (let left = REPEATS; ; left -= 1) {
    try {
      const events = appendOf(run, 0, append);
      const { revision, position } = await ledger.append(streamOf(run, 0), expected, events);
      say('ok', append, position);
      expected = revision;
      break;
    } catch (error) {
      say('failed', error.constructor.name, error.code);
      if (left === 0) process.kill(process.pid, 'SIGKILL');
      await sleep(5);
    }
  }
}
say('end');
process.kill(process.pid, 'SIGKILL');
