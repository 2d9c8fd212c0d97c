import { KcmError } from '@kcm/kernel';
import { runEdge } from './run.js';

// Run as `node --expose-gc dist/apps/edge/main.js`: without the flag erasure is never confirmed.
const console = {
  out: (line: string) => process.stdout.write(`${line}\n`),
  err: (line: string) => process.stderr.write(`${line}\n`),
};

try {
  const edge = await runEdge(process.env, console);
  let stopping = false;
  const stop = (): void => {
    // A second signal while stopping: at once.
    if (stopping) process.exit(1);
    stopping = true;
    edge.stop().then(
      () => process.exit(0),
      (error: unknown) => {
        console.err(`The Edge did not stop cleanly: ${String(error)}`);
        process.exit(1);
      },
    );
  };
  process.on('SIGTERM', stop);
  process.on('SIGINT', stop);
} catch (error) {
  console.err(`The Edge did not start. ${error instanceof Error ? error.message : String(error)}`);
  process.exit(error instanceof KcmError && error.code === 'invalid_request' ? 2 : 1);
}
