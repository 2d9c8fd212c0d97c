// node disposed.mjs FILE: has had many copies of two secrets, each moved by the collector as such
// bytes are: in `Secret`s, and in buffers of Buffer.alloc. Tells both to FILE and waits.
import { appendFileSync } from 'node:fs';
import { hash, randomBytes } from 'node:crypto';
import { Secret } from '../../dist/libs/crypto/index.js';

const COPIES = 100;
const KINDS = {
  'Secrets disposed of': {
    make: (bytes) => Secret.copy(bytes),
    end: (secret) => secret.dispose(),
  },
  'buffers of Buffer.alloc': {
    make: (bytes) => {
      const own = Buffer.alloc(bytes.length);
      own.set(bytes);
      return own;
    },
    end: (buffer) => buffer.fill(0),
  },
};
for (const [name, { make, end }] of Object.entries(KINDS)) {
  // The parent is told only hex, and the source is no key of 64 bytes or less.
  const source = hash('sha256', randomBytes(128), 'buffer');
  const copies = Array.from({ length: COPIES }, () => make(source));
  const hex = source.toString('hex');
  source.fill(0);
  for (const type of ['minor', 'minor', 'major']) void globalThis.gc({ type });
  for (const copy of copies) end(copy);
  appendFileSync(process.argv[2], `${JSON.stringify({ name, hex })}\n`);
}
setInterval(() => undefined, 1_000);
