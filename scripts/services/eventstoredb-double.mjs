// The DOUBLE of EventStoreDB's wire that the tests use, for the demo and the benches: no
// registry has the server. It keeps everything in memory. Plain JavaScript for Node 20.
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

const MAIN = fileURLToPath(
  new URL('../../test/support/eventstoredb-double/main.mjs', import.meta.url),
);

/** One empty store. @returns {Promise<import('./eventstoredb-double.mjs').RunningDouble>} */
export async function startEventStoreDouble() {
  const child = fork(MAIN, { execArgv: [] });
  const ended = once(child, 'exit');
  child.send({ n: 1, command: 'start', options: {} });
  const [{ answer: port, error }] = await Promise.race([
    once(child, 'message'),
    ended.then(() => [{ error: 'it ended' }]),
  ]);
  if (error !== undefined) throw new Error(`the double of EventStoreDB did not start: ${error}`);
  const stop = async () => {
    if (child.connected) child.disconnect();
    if (child.exitCode === null && child.signalCode === null) await ended;
  };
  return { url: `esdb://127.0.0.1:${port}?tls=false`, stop };
}
