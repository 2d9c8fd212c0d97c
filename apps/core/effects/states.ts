import { closedBy, type KeyIdentity, l2KeyId, protectingClosedBy } from '@kcm/custody';
import {
  accessDecider,
  type AccessState,
  type Decider,
  type DomainEvent,
  type ExistingKey,
  isConnected,
  keyDecider,
  type KeyState,
  type RootKeyEntry,
  rootkeysDecider,
} from '@kcm/domain';
import { type Code, KcmError, type RecordedEvent, streamOf, type StreamId } from '@kcm/kernel';
import type { EffectDeps } from './context.js';

type Source = Pick<EffectDeps, 'ledger' | 'catalog'>;
export type Connected = Extract<RootKeyEntry, { resolved: string }>;
const PAGE = 500;

/** Every event of a stream as it is in the ledger now; none when there is no such stream. */
export async function* eventsOf(
  { ledger, catalog }: Source,
  stream: StreamId,
): AsyncGenerator<RecordedEvent> {
  for await (const stored of storedOf(ledger, stream)) yield catalog.upcast(stored);
}

/** As `eventsOf`, in the schema in which each was stored. */
export async function* storedOf(
  ledger: Source['ledger'],
  stream: StreamId,
): AsyncGenerator<RecordedEvent> {
  for (let from = 0; ;) {
    const page = await ledger.readStream(stream, from, PAGE);
    if (page.kind === 'noStream') return;
    yield* page.events;
    if (page.end) return;
    from += page.events.length;
  }
}

/** A state from the ledger itself: an effect must not act on a view that lags behind. */
export async function stateOf<S, E extends DomainEvent>(
  source: Source,
  decider: Decider<never, S, E>,
  stream: StreamId,
): Promise<S> {
  let state = decider.initial;
  for await (const event of eventsOf(source, stream))
    state = decider.evolve(state, event as unknown as E);
  return state;
}

export const keyStateOf = (source: Source, tenant: string, key: string): Promise<KeyState> =>
  stateOf(source, keyDecider, streamOf('key', tenant, key));

const accessOf = (source: Source, tenant: string): Promise<AccessState> =>
  stateOf(source, accessDecider, streamOf('access', tenant));

/** Why a tenant's service (null: the whole tenant) has no access now, or null. */
export const closedNow = async (
  source: Source,
  tenant: string,
  service: string | null,
): Promise<Code | null> => closedBy(await accessOf(source, tenant), service);

/**
 * Why no key may be made for a tenant's service (null: the whole tenant) now, or null. A read-only
 * says no as well: a new key or version is there to protect with.
 */
export const makingClosedNow = async (
  source: Source,
  tenant: string,
  service: string | null,
): Promise<Code | null> => protectingClosedBy(await accessOf(source, tenant), service);

/** @throws KcmError the lock's code: nothing is made for a tenant that is closed or read-only */
export async function assertMaking(
  source: Source,
  tenant: string,
  service: string | null,
): Promise<void> {
  const closed = await makingClosedNow(source, tenant, service);
  if (closed !== null) throw new KcmError(closed, 'No key is made for the tenant at present.');
}

/** @throws KcmError the lock's code: no key of a tenant that is closed is opened */
export async function assertOpen(
  source: Source,
  tenant: string,
  service: string | null,
): Promise<void> {
  const closed = await closedNow(source, tenant, service);
  if (closed !== null) throw new KcmError(closed, 'The tenant has no access at present.');
}

export async function rootKeyOf(
  source: Source,
  tenant: string,
  rootKeyId: string,
): Promise<RootKeyEntry | null> {
  const state = await stateOf(source, rootkeysDecider, streamOf('rootkeys', tenant));
  return state.status === 'some' ? (state.keys.get(rootKeyId) ?? null) : null;
}

/** @throws KcmError wrong_state */
export async function connectedRootKey(
  source: Source,
  tenant: string,
  rootKeyId: string,
): Promise<Connected> {
  const entry = await rootKeyOf(source, tenant, rootKeyId);
  if (entry !== null && isConnected(entry)) return entry;
  throw new KcmError('wrong_state', 'The root key is not connected.');
}

/** The tenant's L2 and its current version. @throws KcmError wrong_state */
export async function currentL2(
  source: Source,
  tenant: string,
): Promise<{ readonly identity: KeyIdentity; readonly key: ExistingKey }> {
  const key = l2KeyId(tenant);
  const state = await keyStateOf(source, tenant, key);
  if (state.status === 'absent' || state.status === 'revoked')
    throw new KcmError('wrong_state', 'The tenant has no tenant key.');
  return { identity: { tenant, key, version: state.current }, key: state };
}
