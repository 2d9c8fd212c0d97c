import type { Holder } from '@kcm/custody';
import { KmipFailure, ResultReason } from '@kcm/kmip';
import { targetOf, type Batch, type Peer } from '@kcm/kmip/server';
import type { Boot, Boots } from './boots.js';
import { denied, notFound } from './refusals.js';

/** An Edge on its connection, with the boot that it registered. */
export interface Session {
  readonly boot: Boot;
  readonly holder: Holder;
}

/** @throws KmipFailure(PermissionDenied) for a workload's certificate */
export function edgeOf(batch: Batch<Peer>): string {
  const { identity } = batch.peer;
  if (identity.kind !== 'edge') throw denied('forbidden');
  return identity.edge;
}

/**
 * The boot that asks. Without a registered KWK nothing is proved either way: no reason to drop
 * keys.
 * @throws KmipFailure
 */
export function sessionOf(boots: Boots, batch: Batch<Peer>): Session {
  const edge = edgeOf(batch);
  const boot = boots.ofConnection(batch.peer.connection);
  if (boot === null || !boot.usable)
    throw new KmipFailure(ResultReason.GeneralFailure, 'wrong_state: register this boot first');
  return { boot, holder: { edge, boot: boot.boot } };
}

/** The boot whose KWK is meant; any other object is not found. @throws KmipFailure */
export function kwkOf(
  boots: Boots,
  batch: Batch<Peer>,
  payload: { readonly uniqueIdentifier?: string },
): Boot {
  edgeOf(batch);
  const boot = boots.ofConnection(batch.peer.connection);
  if (boot === null || objectOf(payload, batch) !== boot.kwkUid) throw notFound();
  return boot;
}

/** The identifier meant; nothing located is as good as nothing found. @throws KmipFailure */
export function objectOf(
  payload: { readonly uniqueIdentifier?: string },
  batch: Batch<Peer>,
): string {
  const located = batch.requests.some(
    (request) => !(request instanceof KmipFailure) && request.operation === 'Locate',
  );
  if (payload.uniqueIdentifier === undefined && batch.idPlaceholder === null && located)
    throw notFound();
  return targetOf(payload, batch);
}
