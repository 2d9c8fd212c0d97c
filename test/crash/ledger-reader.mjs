/**
 * Opens and reads one ledger after the other, as the product is built: much faster than to do it
 * under Jest. One request a line on stdin: `{"file", "overwrite"}`; `overwrite` {"at", "byte"} is
 * put into the file once it is open. One answer a line: `{"events"}` or `{"code", "message"}`.
 */
import { closeSync, openSync, writeSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { systemRandom } from '../../dist/libs/kernel/index.js';
import { openSqliteLedger } from '../../dist/libs/ledger/sqlite/index.js';

async function read({ file, overwrite }) {
  const ledger = await openSqliteLedger({ file, random: systemRandom });
  try {
    if (overwrite !== undefined) {
      const descriptor = openSync(file, 'r+');
      writeSync(descriptor, Buffer.from([overwrite.byte]), 0, 1, overwrite.at);
      closeSync(descriptor);
    }
    const events = [];
    for await (const item of ledger.feed('start', new AbortController().signal)) {
      if (item.kind === 'events') events.push(...item.events);
      if (item.kind === 'caughtUp') break;
    }
    return { events };
  } finally {
    await ledger.close();
  }
}

for await (const line of createInterface({ input: process.stdin })) {
  const answer = await read(JSON.parse(line)).catch(({ code, message }) => ({ code, message }));
  process.stdout.write(`${JSON.stringify(answer)}\n`);
}
