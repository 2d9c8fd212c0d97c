import { Secret } from '@kcm/crypto';
import type { Keyring } from './keyring.js';
import { keyringPath } from './keyring.js';
import { drawMaster, masterPath } from './keystore-seal.js';
import { keystoreOf, type SealParts } from './opening.js';
import type { SealConfig } from './seal-config.js';
import { type SetRequest, type ShareSet, sharingOut } from './shares/share-set.js';

export type SealKind = SealConfig['seal'];
/** What opens a region from now on, as the ledger keeps it, and the texts for its holders. */
export interface NewSeal {
  readonly config: Omit<SealConfig, 'keys'>;
  /** As `ShareSet.texts`. Shown once, kept nowhere. */
  readonly shares: readonly string[];
}
const MASTER_BYTES = 32;

/**
 * Reads the request whole before anything is drawn. The answer seals a keyring under a MasterKey of
 * its own, durably, at paths that nothing stands at yet. With a keystore the shares are those of a
 * secret that seals nothing: they prove who may change the seal, and open nothing.
 * @throws KcmError invalid_request, by field; wrong_state where there is no keystore
 */
export async function sealing(
  parts: SealParts,
  seal: SealKind,
  request: SetRequest,
): Promise<(keyring: Keyring, signing: string, generation: number) => Promise<NewSeal>> {
  const shareOut = await sharingOut(request);
  const keystore = seal === 'keystore' ? keystoreOf(parts) : null;
  const { region, vault, random } = parts;
  return async (keyring, signing, generation) => {
    const setId = random.bytes(8).toString('hex');
    const drawn =
      keystore === null
        ? null
        : await drawMaster(keystore, random, { region, signing, setId, generation });
    using secret = Secret.own(random.bytes(MASTER_BYTES));
    using master = drawn?.master ?? secret;
    if (drawn !== null) await vault.put(masterPath(setId), drawn.blob);
    await vault.put(keyringPath(setId), keyring.seal(master, random, { region, setId }));
    const { texts, ...set } = await shareOut(region, setId, secret);
    const digests = seal === 'auto' ? [] : set.shareDigests;
    return {
      config: configOf(seal, setId, { ...set, shareDigests: digests }, drawn),
      shares: texts,
    };
  };
}

function configOf(
  seal: SealKind,
  setId: string,
  { shares, threshold, shareDigests }: Omit<ShareSet, 'texts'>,
  drawn: Awaited<ReturnType<typeof drawMaster>> | null,
): NewSeal['config'] {
  const set = { seal, setId, shares, threshold, shareDigests };
  return drawn === null ? set : { ...set, keystore: drawn.recorded };
}
