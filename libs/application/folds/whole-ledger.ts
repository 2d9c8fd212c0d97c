import { KcmError } from '@kcm/kernel';
import type { Ledger } from '@kcm/ledger';
import type { Projection, ReadModelWriter } from '@kcm/read-models';

/**
 * A ledger that ends before what was read from it has lost events. Going on would give their
 * positions to others, which the read models would then never see; and what was made from another
 * ledger would be served as if it were of this one.
 * @throws KcmError integrity naming the read model
 */
export async function assertLedgerWhole(
  ledger: Ledger,
  writer: Pick<ReadModelWriter, 'checkpoint'>,
  projections: readonly Pick<Projection<unknown>, 'name' | 'version'>[],
): Promise<void> {
  const head = await ledger.head();
  for (const { name, version } of projections) {
    const known = await writer.checkpoint(name, version);
    if (known === null) continue;
    if (known.ledger !== ledger.id) {
      throw new KcmError(
        'integrity',
        `The read model ${name} was made from another ledger (${known.ledger}) than this one ` +
          `(${ledger.id}). Put the right ledger back; if this is the right one, remove the read ` +
          'models: they are made again.',
      );
    }
    if (head !== null && known.position <= head) continue;
    throw new KcmError(
      'integrity',
      `The ledger ends at ${head ?? 'its start'}, and the read model ${name} was made from it up ` +
        `to ${known.position}: events are missing. Put the whole ledger back; to go on without ` +
        'them, remove the read models.',
    );
  }
}
