import type { L3Lease, LeasedPolicy } from '@kcm/custody';
import type { VersionState } from '@kcm/domain';
import {
  attribute,
  CryptographicAlgorithm,
  KCM,
  LinkType,
  ObjectType,
  serviceKeyName,
  State,
  UsageMask,
  type Attribute,
} from '@kcm/kmip';

const L3_MASK = UsageMask.DeriveKey | UsageMask.WrapKey | UsageMask.UnwrapKey;

/** The same states, KMIP 1.4 §3.22. That a version is archived is none of them. */
export const KMIP_STATES: { readonly [S in VersionState]: State } = {
  'pre-active': State.PreActive,
  active: State.Active,
  deactivated: State.Deactivated,
  compromised: State.Compromised,
  destroyed: State.Destroyed,
  'destroyed-compromised': State.DestroyedCompromised,
};

/** Every attribute of a leased service key, as of its lease. `nowMs`: Unix milliseconds. */
export function leasedAttributes(
  lease: L3Lease,
  policy: LeasedPolicy,
  nowMs: number,
): readonly Attribute[] {
  const current = lease.replacedBy === null;
  const protects = current && lease.state === 'active' && lease.access === 'open';
  return [
    attribute.text('Unique Identifier', lease.uid),
    ...(current ? [attribute.objectName(serviceKeyName(lease.tenant, lease.service))] : []),
    attribute.enumeration('Object Type', ObjectType.SymmetricKey),
    attribute.enumeration('Cryptographic Algorithm', CryptographicAlgorithm.Aes),
    attribute.integer('Cryptographic Length', 256),
    attribute.integer('Cryptographic Usage Mask', L3_MASK),
    attribute.interval('Lease Time', lease.seconds),
    attribute.enumeration('State', KMIP_STATES[lease.state]),
    ...dates(lease),
    ...compromise(lease),
    // Under a lock that leaves decrypting the object stays Active and may not protect (§3.26).
    ...(protects ? [] : [attribute.date('Protect Stop Date', Math.floor(nowMs / 1000))]),
    attribute.text('Object Group', lease.tenant),
    ...(lease.replacedBy === null
      ? []
      : [attribute.link(LinkType.ReplacementObjectLink, lease.replacedBy)]),
    ...(lease.replaces === null
      ? []
      : [attribute.link(LinkType.ReplacedObjectLink, lease.replaces)]),
    attribute.boolean('Sensitive', true),
    attribute.boolean('Extractable', true),
    attribute.integer(KCM.version, lease.version),
    attribute.long(KCM.term, lease.term),
    attribute.long(KCM.epoch, lease.epoch),
    // Under any other lock there is no lease.
    attribute.text(KCM.access, lease.access),
    attribute.text(KCM.export, lease.mayExport ? 'allowed' : 'refused'),
    attribute.text(KCM.grant, lease.grantId),
    attribute.text(KCM.call, lease.callId),
    ...(lease.providerRequestId === null
      ? []
      : [attribute.text(KCM.providerRequest, lease.providerRequestId)]),
    attribute.text(KCM.cache, policy.off ? 'off' : 'on'),
    attribute.integer(KCM.cacheTtl, policy.ttlSeconds),
    // Up to 0.9 · 2^32, which an Integer of KMIP does not hold.
    attribute.long(KCM.cacheMaxUses, policy.maxUses),
    attribute.integer(KCM.cacheMaxAge, policy.maxAgeSeconds),
  ];
}

const secondsOf = (time: string): number => Math.floor(Date.parse(time) / 1000);

/** When it came into its states (KMIP 1.4 §3.24, §3.27, §3.30); no Edge compares them. */
const dates = ({ at }: L3Lease): readonly Attribute[] =>
  (
    [
      ['Activation Date', at.activated],
      ['Deactivation Date', at.deactivated],
      ['Compromise Date', at.compromised],
    ] as const
  ).flatMap(([name, time]) => (time === undefined ? [] : [attribute.date(name, secondsOf(time))]));

/** KMIP leaves what a compromised key protects to “trusted” clients: ours are told. */
function compromise({ compromisedSince, mayProcess }: L3Lease): readonly Attribute[] {
  if (compromisedSince === null) return [];
  return [
    attribute.date('Compromise Occurrence Date', secondsOf(compromisedSince)),
    attribute.text(KCM.processing, mayProcess ? 'allowed' : 'refused'),
  ];
}

/** Those asked for by name, in the order of the list; none asked: all (KMIP 1.4 §4.12). */
export const selected = (
  attributes: readonly Attribute[],
  names: readonly string[],
): readonly Attribute[] =>
  names.length === 0 ? attributes : attributes.filter(({ name }) => names.includes(name));
