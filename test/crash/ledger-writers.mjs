/**
 * Fifty writers on one ledger until somebody stops the process. Each writer has a stream of its
 * own and repeats what failed with the same ids. One line a fact on stdout, written at once:
 * `ok writer append revision position` · `failed code` · `open`.
 * Arguments: ledger file, run. Ids follow from (run, writer, append), so that a reader can tell
 * what was on its way.
 */
import { writeSync } from 'node:fs';
import { systemRandom } from '../../dist/libs/kernel/index.js';
import { openSqliteLedger } from '../../dist/libs/ledger/sqlite/index.js';
import { appendOf, streamOf, WRITERS } from './ledger-appends.mjs';

const [file, run] = process.argv.slice(2);
const nap = new Int32Array(new SharedArrayBuffer(4));

/** Whole and at once; a reader that is busy elsewhere leaves the pipe full for a moment. */
function say(...words) {
  const line = Buffer.from(`${words.join(' ')}\n`);
  for (let at = 0; at < line.length;) {
    try {
      at += writeSync(1, line, at);
    } catch (error) {
      if (error.code !== 'EAGAIN') throw error;
      Atomics.wait(nap, 0, 0, 1);
    }
  }
}

const ledger = await openSqliteLedger({ file, random: systemRandom });
say('open');

async function write(writer) {
  let expected = 'noStream';
  for (let append = 0; ;) {
    try {
      const events = appendOf(run, writer, append);
      const { revision, position } = await ledger.append(streamOf(run, writer), expected, events);
      say('ok', writer, append, revision, position);
      expected = revision;
      append += 1;
    } catch (error) {
      say('failed', error.constructor.name);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
}
await Promise.all(Array.from({ length: WRITERS }, (_, writer) => write(writer)));
