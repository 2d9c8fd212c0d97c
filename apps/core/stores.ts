import type { CoreView } from '@kcm/custody';
import { KcmError, type Random, type Reason } from '@kcm/kernel';
import type { BlobStore } from '@kcm/vault';

type Stores = { readonly [name in 'vault' | 'erasure' | 'directory']: BlobStore };

/**
 * A ledger without a region beside a vault with tenants' keys has been lost. Starting would make a
 * new region, whose unseal key takes the place of the one that the old ledger needs.
 * @throws KcmError integrity
 */
export async function assertLedgerIsTheirs({ vault }: Pick<Stores, 'vault'>): Promise<void> {
  if ((await vault.list('l2')).length === 0) return;
  throw new KcmError(
    'integrity',
    'The vault holds keys of tenants, and the ledger knows of no region: ledger.db is gone, or is ' +
      'not the one that belongs here. Put it back, with its -wal file if there is one.',
  );
}

/**
 * What the other stores lack for the tenants whose keys the vault holds. One that is being shredded
 * (a crash may come between its erasure key and its keys) lacks nothing.
 */
export async function findLosses(
  { vault, erasure, directory }: Stores,
  view: Pick<CoreView, 'revocations'>,
): Promise<Reason[]> {
  const holders = new Set((await vault.list('l2')).map((path) => path.split('/')[1]!));
  const tenants = new Set([...holders].filter((tenant) => !isShredded(view, tenant)));
  const lacking = async (store: Stores['erasure'], under: string): Promise<number> => {
    const there = new Set((await store.list(under)).map((path) => path.split('/')[1]!));
    return [...tenants].filter((tenant) => !there.has(tenant)).length;
  };
  const losses: Reason[] = [];
  const say = (
    about: Pick<Reason, 'dependency' | 'code' | 'next'>,
    count: number,
    lost: string,
  ) => {
    const detail = `${count} of ${tenants.size} ${lost}`;
    if (count > 0) losses.push({ ...about, level: 'degraded', detail });
  };
  say(
    { dependency: 'erasure-store', code: 'erasure_keys_missing', next: ERASURE_NEXT },
    await lacking(erasure, 'tek'),
    'tenants with keys have no erasure key: nobody can decrypt anything of theirs, for ever, unless ' +
      'it is found. Is this the erasure store that belongs here?',
  );
  say(
    { dependency: 'directory', code: 'names_missing', next: NEXT },
    await lacking(directory, 'name'),
    'tenants with keys have no name: people are not recognised. Is this the directory.db that belongs here?',
  );
  return losses;
}

const isShredded = (view: Pick<CoreView, 'revocations'>, tenant: string): boolean =>
  [...view.revocations(tenant).values()].some(
    ({ status }) => status === 'shredding' || status === 'shredded',
  );

const NEXT = 'stop the server, put the right file back, start again';
const ERASURE_NEXT =
  'stop the server, put a copy back, or the newest of its backups (docs/running.md, Erasure store), ' +
  'start again';
const CLAIM = 'sys/erasure-store';

/**
 * Each region has one erasure store, and the Core that holds it. Where Core runs apart its vault is
 * shared: a second Core, with a folder of its own, would make erasure keys that the first one lacks.
 * @throws KcmError integrity
 */
export async function assertErasureStoreIsOurs(
  { vault, erasure }: Pick<Stores, 'vault' | 'erasure'>,
  random: Random,
): Promise<void> {
  const known = await erasure.get(CLAIM);
  const own = known ?? random.bytes(16);
  if (known === null && (await vault.get(CLAIM)) === null) await erasure.put(CLAIM, own);
  await vault.putIfAbsent(CLAIM, own);
  if ((await vault.get(CLAIM))?.equals(own) === true) return;
  throw new KcmError(
    'integrity',
    'The erasure.db of KCM_DATA_DIR is not the one of this region: another Core has it. Each region ' +
      'has one Core; give this one its own folder back.',
  );
}
