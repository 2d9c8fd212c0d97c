import { hkdf, kidOf, lp, Secret } from '@kcm/crypto';
import type { SealKeystore as Recorded } from '@kcm/domain';
import { KcmError, type Random, uuidv4 } from '@kcm/kernel';
import type { Answer, Binding, RootKey } from '@kcm/keystores';
import type { SealConfig } from './seal-config.js';

/** The operator's keystore that opens the region; its credentials are read anew at each opening. */
export interface SealKeystore {
  readonly driver: string;
  /** @param pinned the key that the seal was made with: another one at its place is refused */
  open(pinned?: string): Promise<RootKey>;
}
/** Which MasterKey a blob keeps: nothing opens it as another one. */
export interface MasterIdentity {
  readonly region: string;
  /** Public half of the region's signing key: two regions of one name have two. */
  readonly signing: string;
  readonly setId: string;
  readonly generation: number;
}
const MAGIC = Buffer.from('KCMW\u0001', 'latin1');
const SEED_BYTES = 32;

export const masterPath = (setId: string): string => `sys/master/${setId}`;

/**
 * A new MasterKey, which is HKDF of a seed that the keystore wraps: a blob that is moved gives
 * another key even where the keystore binds nothing.
 * "KCMW" ‖ version(1) ‖ LP(region, signing key’s id, set, generation) as u32 length and bytes ‖
 * the wrapped seed.
 * @throws KcmError of the keystore’s refusal
 */
export async function drawMaster(
  keystore: SealKeystore,
  random: Random,
  identity: MasterIdentity,
): Promise<{ readonly master: Secret; readonly blob: Buffer; readonly recorded: Recorded }> {
  const { driver } = keystore;
  const root = await keystore.open();
  try {
    const { resolved } = valueOf(await root.resolve(callOf(random)));
    using seed = Secret.own(random.bytes(SEED_BYTES));
    // Lent across the call: the driver needs the bytes until the keystore has answered.
    const wrapped = valueOf(
      await seed.use((bytes) => root.wrap(bytes, bindingOf(identity), callOf(random))),
    );
    const blob = Buffer.concat([MAGIC, lp(headOf(identity)), wrapped.bytes]);
    const recorded = { driver, resolved, generation: identity.generation };
    return { master: masterOf(seed, identity), blob, recorded };
  } finally {
    await root.close();
  }
}

/**
 * @throws KcmError integrity, naming whose the blob is, before the keystore is asked; else that of
 * the keystore’s refusal
 */
export async function openMaster(
  keystore: SealKeystore,
  random: Random,
  blob: Uint8Array,
  identity: MasterIdentity,
  pinned: string,
): Promise<Secret> {
  const wrapped = wrappedOf(blob, identity);
  const root = await keystore.open(pinned);
  try {
    const seed = valueOf(await root.unwrap(wrapped, bindingOf(identity), callOf(random)));
    using own = Secret.own(seed);
    return masterOf(own, identity);
  } finally {
    await root.close();
  }
}

export const masterIdentity = (region: string, config: SealConfig): MasterIdentity => ({
  region,
  signing: config.keys.signing,
  setId: config.setId,
  generation: config.keystore?.generation ?? 0,
});

function wrappedOf(blob: Uint8Array, identity: MasterIdentity): Buffer {
  const path = masterPath(identity.setId);
  const bytes = Buffer.from(blob);
  const at = MAGIC.length + 4;
  const damaged = new KcmError('integrity', `${path} is damaged.`);
  if (bytes.length < at || !bytes.subarray(0, MAGIC.length).equals(MAGIC)) throw damaged;
  const end = at + bytes.readUInt32BE(MAGIC.length);
  if (end >= bytes.length) throw damaged;
  const head = bytes.toString('utf8', at, end);
  if (head === headOf(identity)) return bytes.subarray(end);
  throw new KcmError('integrity', `${path} is of ${head}, not of ${headOf(identity)}.`);
}

const headOf = ({ region, signing, setId, generation }: MasterIdentity): string =>
  `region ${region} (${kidOf(Buffer.from(signing, 'base64url'))}), set ${setId}, ` +
  `generation ${generation}`;

const bindingOf = (identity: MasterIdentity): Binding => ({
  tenant: identity.region,
  key: `seal-${kidOf(Buffer.from(identity.signing, 'base64url'))}-${identity.setId}`,
  version: identity.generation,
});

const masterOf = (seed: Secret, { region, signing, setId, generation }: MasterIdentity): Secret =>
  hkdf(
    seed,
    Buffer.alloc(0),
    lp('kcm/master-by-keystore/v1', region, signing, setId, String(generation)),
  );

const callOf = (random: Random) => ({ callId: uuidv4(random) });

function valueOf<T>(answer: Answer<T>): T {
  if (answer.ok) return answer.value;
  throw new KcmError(answer.code, `The keystore of the seal: ${answer.detail}`);
}
