import {
  KcmError,
  overwriteFreedMemory,
  printableText,
  stderrLines,
  stopOnSignal,
} from '@kcm/kernel';

overwriteFreedMemory();
const { lostLine } = await import('./log.js');
const { runEdge } = await import('./run.js');

// Run as `node --expose-gc dist/apps/edge/main.js`: without the flag erasure is never confirmed.
const toStderr = stderrLines(lostLine);
const console = {
  out: (line: string) => process.stdout.write(`${line}\n`),
  err: (line: string) => toStderr(`${printableText(line)}\n`),
};

try {
  const edge = await runEdge(process.env, console);
  process.on('SIGHUP', () => edge.reload());
  stopOnSignal(
    () => edge.stop(),
    (error) => console.err(`The Edge did not stop cleanly: ${String(error)}`),
  );
} catch (error) {
  console.err(`The Edge did not start. ${error instanceof Error ? error.message : String(error)}`);
  process.exit(error instanceof KcmError && error.code === 'invalid_request' ? 2 : 1);
}
