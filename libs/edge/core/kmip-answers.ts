import { aeskwUnwrap, Secret } from '@kcm/crypto';
import { CODES, type Code, parseKeyVersionUid } from '@kcm/kernel';
import {
  Attributes,
  isKcmAccess,
  KCM,
  KmipFailure,
  LinkType,
  readWrappedKeyPlaintext,
  ResultReason,
  State,
  type Attribute,
  type ResponseOf,
} from '@kcm/kmip';
import type {
  CachePolicy,
  Change,
  Lease,
  LeasedState,
  Notice,
  Proof,
  Refusal,
} from './core-port.js';

/** Result reasons that end a lease at once (leases.md step 6), and their code if none is named. */
const DENIALS: ReadonlyMap<ResultReason, Code> = new Map<ResultReason, Code>([
  [ResultReason.PermissionDenied, 'forbidden'],
  [ResultReason.ItemNotFound, 'not_found'],
  [ResultReason.ObjectArchived, 'key_archived'],
  [ResultReason.Sensitive, 'export_not_allowed'],
  [ResultReason.NotExtractable, 'export_not_allowed'],
]);
const LEASED: ReadonlyMap<number | null, LeasedState> = new Map<number, LeasedState>([
  [State.Active, 'active'],
  [State.Deactivated, 'deactivated'],
  [State.Compromised, 'compromised'],
]);
/** A message that begins with a code of the one list names the refusal; the reason decides. */
const NAMED = /^([a-z0-9_]+)\b/;

/** Whether to drop is decided by the result reason alone; the code only tells the caller why. */
export function refusalFrom(failure: unknown): Refusal {
  if (!(failure instanceof KmipFailure)) return indeterminate();
  const denial = DENIALS.get(failure.reason);
  const named = NAMED.exec(failure.message)?.[1];
  const code = CODES.find((known) => known === named) ?? denial ?? 'lease_expired';
  return { ok: false, effect: denial === undefined ? 'indeterminate' : 'denied', code };
}

export const indeterminate = (code: Code = 'lease_expired'): Refusal => ({
  ok: false,
  effect: 'indeterminate',
  code,
});

export const notFound: Refusal = { ok: false, effect: 'denied', code: 'not_found' };

/** An answer that is not one to what was asked: never used, always told. */
export class WrongAnswer extends Error {}

/** @throws WrongAnswer */
export function proofFrom(
  uid: string,
  lease: ResponseOf<'ObtainLease'>,
  answered: ResponseOf<'GetAttributes'>,
): Proof | Refusal {
  if (lease.uniqueIdentifier !== uid || answered.uniqueIdentifier !== uid)
    throw new WrongAnswer('an answer about another key');
  // 0 means unlimited in the standard: Core never sends it and this side never believes it.
  if (!Number.isInteger(lease.leaseTime) || lease.leaseTime < 1)
    throw new WrongAnswer('a lease without an end');
  const attributes = new Attributes(answered.attributes);
  const state = LEASED.get(attributes.number('State'));
  if (state === undefined) return { ...notFound, code: 'wrong_state' };
  const access = attributes.text(KCM.access);
  if (!isKcmAccess(access)) throw new WrongAnswer('an unknown access');
  const replaced = attributes.link(LinkType.ReplacementObjectLink) !== null;
  const mayProtect =
    state === 'active' &&
    access === 'open' &&
    // No date of KMIP is ever compared with this machine's clock: that it is there is enough.
    attributes.number('Protect Stop Date') === null &&
    !replaced;
  return {
    ok: true,
    uid,
    seconds: lease.leaseTime,
    access,
    state,
    replaced,
    mayProtect,
    mayExport: attributes.text(KCM.export) === 'allowed',
    mayProcess: state !== 'compromised' || attributes.text(KCM.processing) === 'allowed',
    term: need(attributes.number(KCM.term), KCM.term),
    epoch: need(attributes.number(KCM.epoch), KCM.epoch),
    grantId: need(attributes.text(KCM.grant), KCM.grant),
  };
}

/**
 * The key of a lease: unwraps it and compares the identity inside the wrap with what was asked for
 * and with the attributes. @throws WrongAnswer
 */
export function leaseFrom(
  tenant: string,
  proof: Proof,
  answered: ResponseOf<'GetAttributes'>,
  got: ResponseOf<'Get'>,
  kwk: Secret,
): Lease {
  const asked = parseKeyVersionUid(proof.uid);
  if (asked === null || asked.tenant !== tenant) throw new WrongAnswer('a key of another tenant');
  const { value } = got.object.keyBlock;
  if (got.uniqueIdentifier !== proof.uid || !('wrapped' in value))
    throw new WrongAnswer('not the wrapped key');
  const attributes = new Attributes(answered.attributes);
  using plaintext = unwrap(kwk, value.wrapped);
  return plaintext.use((bytes) => {
    const { identity, material } = readWrappedKeyPlaintext(bytes);
    const same =
      identity.uid === proof.uid &&
      identity.tenant === tenant &&
      attributes.text('Object Group') === tenant &&
      identity.version === asked.version &&
      attributes.number(KCM.version) === asked.version &&
      identity.term === proof.term &&
      identity.epoch === proof.epoch &&
      material.length === 32;
    if (!same) throw new WrongAnswer('the key is not the one that was asked for');
    const { key, version } = asked;
    return { ...proof, key, version, policy: policyOf(attributes), l3: Secret.copy(material) };
  });
}

/** Null: not about a key of ours. */
export function noticeFrom(uid: string, attributes: readonly Attribute[]): Notice | null {
  const named = parseKeyVersionUid(uid);
  if (named === null) return null;
  const told = new Attributes(attributes);
  return {
    tenant: named.tenant,
    uid,
    l3: named.key.startsWith('l3-') ? uid : null,
    change: changeIn(told),
    term: told.number(KCM.term) ?? 0,
    epoch: told.number(KCM.epoch) ?? 0,
  };
}

/** What is not known to leave something ends all. */
function changeIn(told: Attributes): Change {
  const access = told.text(KCM.access);
  const state = told.number('State') ?? State.Active;
  // Nothing is said of the access: it is about the key alone.
  const archived = told.number('Archive Date') !== null;
  if (access === null) return state === State.Deactivated && !archived ? 'deactivated' : 'state';
  const replaced = told.link(LinkType.ReplacementObjectLink) !== null;
  if (replaced && access === 'open') return 'rotated';
  if (state !== State.Active && state !== State.Deactivated) return 'revoked';
  if (access === 'readOnly') return 'readOnly';
  return access === 'open' ? 'other' : 'revoked';
}

/** What is not said is not allowed: without a policy no data key is kept. */
function policyOf(attributes: Attributes): CachePolicy {
  const ttlSeconds = attributes.number(KCM.cacheTtl);
  const maxUses = attributes.number(KCM.cacheMaxUses);
  const maxAgeSeconds = attributes.number(KCM.cacheMaxAge);
  if (ttlSeconds === null || maxUses === null || maxAgeSeconds === null)
    return { ttlSeconds: 0, maxUses: 0, maxAgeSeconds: 0, off: true };
  return { ttlSeconds, maxUses, maxAgeSeconds, off: attributes.text(KCM.cache) !== 'on' };
}

function unwrap(kwk: Secret, wrapped: Uint8Array): Secret {
  try {
    return aeskwUnwrap(kwk, wrapped);
  } catch {
    throw new WrongAnswer('the key does not unwrap under this boot’s key');
  }
}

function need<T>(value: T | null, name: string): T {
  if (value === null) throw new WrongAnswer(`${name} is missing`);
  return value;
}
