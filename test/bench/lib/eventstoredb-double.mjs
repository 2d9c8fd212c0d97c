// The wire double of EventStoreDB, in a process of its own, for as long as a bench needs it.
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

const MAIN = fileURLToPath(new URL('../../support/eventstoredb-double/main.mjs', import.meta.url));

/** `url` of one store of it. */
export async function startDouble() {
  const child = fork(MAIN, { execArgv: [] });
  child.send({ n: 1, command: 'start', options: {} });
  const [{ answer: port, error }] = await once(child, 'message');
  if (error !== undefined) throw new Error(`the double did not start: ${error}`);
  const stop = async () => {
    child.disconnect();
    if (child.exitCode === null) await once(child, 'exit');
  };
  return { url: `esdb://127.0.0.1:${port}?tls=false`, stop };
}
