// node disposed.mjs FILE KIND: has had a secret in copies of one kind and let go of them all. Tells
// it to FILE and waits.
import { appendFileSync } from 'node:fs';
import { hash, randomBytes } from 'node:crypto';
import {
  aeadOpen,
  aeadSeal,
  aeskwUnwrap,
  aeskwWrap,
  Secret,
} from '../../dist/libs/crypto/index.js';
import { overwriteFreedMemory, ownMemory, systemRandom } from '../../dist/libs/kernel/index.js';

overwriteFreedMemory();

const COPIES = 100;
/** What comes later takes the place of what one of a length left, hardly of all. */
const LENGTHS = [32, 144, 288, 512, 992, 4_096];
const AAD = Buffer.from('aad');
const by = Secret.own(systemRandom.bytes(32));

/** Moved by the collector as such bytes are, then let go of. */
function moved(copies, end) {
  for (const type of ['minor', 'minor', 'major']) void globalThis.gc({ type });
  for (const copy of copies) end(copy);
}
const copiesOf = (make) => Array.from({ length: COPIES }, make);
const sealedOf = (source, seal) =>
  LENGTHS.map((length) => {
    using long = Secret.own(ownMemory(length).fill(source));
    return seal(long);
  });

/** Each answers with what is left to do when the source is gone. */
const KINDS = {
  'buffers of Buffer.alloc': (source) => {
    const copies = copiesOf(() => {
      const own = Buffer.alloc(source.length);
      own.set(source);
      return own;
    });
    return () => moved(copies, (buffer) => buffer.fill(0));
  },
  'Secrets disposed of': (source) => {
    const copies = copiesOf(() => Secret.copy(source));
    return () => moved(copies, (secret) => secret.dispose());
  },
  'a key opened from AES-GCM': (source) => {
    const blobs = sealedOf(source, (long) =>
      long.use((bytes) => aeadSeal(by, systemRandom, bytes, AAD)),
    );
    return () => blobs.forEach((blob) => aeadOpen(by, blob, AAD).fill(0));
  },
  'a key opened from AES-KW': (source) => {
    const blobs = sealedOf(source, (long) => aeskwWrap(by, long));
    return () => blobs.forEach((blob) => aeskwUnwrap(by, blob).dispose());
  },
};
const [file, kind] = process.argv.slice(2);
// The parent is told only hex, and the source is no key of 64 bytes or less.
const source = hash('sha256', randomBytes(128), 'buffer');
const hex = source.toString('hex');
const then = KINDS[kind](source);
source.fill(0);
then();
appendFileSync(file, hex);
setInterval(() => undefined, 1_000);
