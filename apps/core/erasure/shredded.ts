import { type CoreView, tekPath } from '@kcm/custody';
import type { BlobStore } from '@kcm/vault';

/**
 * A backup of the erasure store that is put back holds keys that were destroyed after it was taken.
 * They are erased again before anybody is served, so that what was said of their shred stays true.
 * @returns how many · @throws KcmError while a copy is away
 */
export async function eraseShredded(
  view: Pick<CoreView, 'revocations'>,
  erasure: BlobStore,
): Promise<number> {
  let count = 0;
  for (const path of await erasure.list('tek')) {
    const tenant = path.split('/')[1]!;
    const revocations = [...view.revocations(tenant).values()];
    if (!revocations.some(({ status }) => status === 'shredded')) continue;
    await erasure.erase(tekPath(tenant));
    count += 1;
  }
  return count;
}
