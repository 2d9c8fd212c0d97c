// The product as it is, over a source of randomness that writes down what it gives out:
// node recording.mjs DRAWS. A line a draw of 32 bytes: hex, and the file that asked for it.
// The first is nobody's: it is kept as long as the process lives, for who looks into its memory.
import { appendFileSync } from 'node:fs';
import { basename } from 'node:path';
import { overwriteFreedMemory, systemRandom } from '../../dist/libs/kernel/index.js';

overwriteFreedMemory();
const { startStandalone } = await import('../../dist/apps/standalone/standalone.js');

const KEY_BYTES = 32;
const askedBy = () =>
  basename(
    /\(?(?:file:)?([^\s(]+):\d+:\d+\)?$/.exec(
      new Error().stack.split('\n').find((line, at) => at > 0 && !line.includes('recording.mjs')),
    )[1],
  ).replace(/\.[jt]s$/, '');

const random = {
  bytes(length) {
    const bytes = systemRandom.bytes(length);
    // At once and synchronously: a killed process has told of every key that it had.
    if (length === KEY_BYTES)
      appendFileSync(process.argv[2], `${bytes.toString('hex')} ${askedBy()}\n`);
    return bytes;
  },
};
const kept = systemRandom.bytes(KEY_BYTES);
appendFileSync(process.argv[2], `${kept.toString('hex')} planted\n`);
globalThis.planted = kept;

const running = await startStandalone(process.env, { random });
process.on('SIGTERM', () => void running.stop().then(() => process.exit(0)));
