/**
 * One boot of what encrypts: the Edge's data plane, leased the L3 that every boot is leased, and the
 * barrier, over the keyring that every boot opens. It seals, writes what must not repeat to
 * stdout, and ends: for each record its salt and IV (16 + 12 bytes), then for each blob behind the
 * barrier the number of its key and its IV (4 + 12 bytes).
 * Arguments: records, blobs, L3, MasterKey, sealed keyring; the last three in hexadecimal. Without a
 * keyring it makes one, and writes that instead.
 */
import { writeSync } from 'node:fs';
import { Secret } from '../../dist/libs/crypto/index.js';
import { Barrier } from '../../dist/libs/custody/seal/barrier.js';
import { Keyring } from '../../dist/libs/custody/seal/keyring.js';
import { systemRandom } from '../../dist/libs/kernel/index.js';
import { edgePlane } from '../bench/lib/edge-parts.mjs';

const SALT_AND_IV = 28;
const TAG_BYTES = 16;
const PLAIN = Buffer.from('x');
/** Of a boot's records, so that a data key ends by its uses too. */
const USES_MAX = 7_000;

const [records, blobs] = process.argv.slice(2, 4).map(Number);
const [l3, master, sealed] = process.argv.slice(4).map((hex) => Buffer.from(hex, 'hex'));

function write(bytes) {
  for (let at = 0; at < bytes.length;) at += writeSync(1, bytes, at);
}

const identity = { region: 'eu', setId: 'a1' };
if (sealed === undefined) {
  write(Keyring.create(systemRandom).seal(Secret.own(master), systemRandom, identity));
  process.exit();
}

const { plane, clock } = edgePlane({ l3, subkeyInvocationsMax: USES_MAX });
const nonces = Buffer.alloc(records * SALT_AND_IV);
for (let n = 0; n < records; n += 1) {
  // The ticker cannot run inside a loop.
  if (n % 1_000 === 0) clock.tick();
  const answer = plane.encrypt('acme', { bytes: PLAIN, context: null });
  const { bytes } = answer instanceof Promise ? await answer : answer;
  const end = bytes.length - TAG_BYTES - PLAIN.length;
  bytes.copy(nonces, n * SALT_AND_IV, end - SALT_AND_IV, end);
}
write(nonces);

const keyring = Keyring.open(Secret.own(master), sealed, identity);
const barrier = new Barrier('eu', keyring, systemRandom);
for (let n = 0; n < blobs; n += 1) write(barrier.seal(`l3/acme/${n}`, PLAIN).subarray(5, 21));
