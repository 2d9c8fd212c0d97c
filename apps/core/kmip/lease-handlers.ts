import { aeskwWrap, Secret } from '@kcm/crypto';
import type { L3Lease, L3Ref } from '@kcm/custody';
import {
  Attributes,
  BlockCipherMode,
  EncodingOption,
  KeyFormatType,
  KeyWrapType,
  KmipFailure,
  parseServiceKeyName,
  ResultReason,
  StorageStatus,
  wrappedAesKey,
  WRAPPED_ATTRIBUTES,
  wrappedKeyPlaintext,
  WrappingMethod,
  type Attribute,
  type KeyWrappingSpecification,
  type RequestOf,
} from '@kcm/kmip';
import type { Batch, Handlers, Peer } from '@kcm/kmip/server';
import type { Boots } from './boots.js';
import type { KmipFrontParts } from './front-parts.js';
import { kwkAttributes } from './kwk-handlers.js';
import { LeaseBatches } from './lease-batch.js';
import { KMIP_STATES, leasedAttributes, selected } from './leased-attributes.js';
import { failureOf, hidden, invalid, notFound, thrown } from './refusals.js';
import { edgeOf, objectOf, sessionOf } from './sessions.js';
import { anchorVisible } from './visibility.js';

type LeaseOperation =
  'Locate' | 'ObtainLease' | 'GetUsageAllocation' | 'GetAttributes' | 'GetAttributeList' | 'Get';

/** Steps 3 to 6 of leases.md. Nothing leaves without a lease that the desk has recorded. */
export function leaseHandlers(
  parts: Pick<KmipFrontParts, 'desk' | 'view' | 'wallMs'>,
  boots: Boots,
): Required<Pick<Handlers<Peer>, LeaseOperation>> {
  const { desk, view } = parts;
  const leases = new LeaseBatches(desk);
  const attributesOf = (uid: string, batch: Batch<Peer>): readonly Attribute[] => {
    edgeOf(batch);
    const own = boots.ofConnection(batch.peer.connection);
    if (own !== null && uid === own.kwkUid) return kwkAttributes(own);
    const lease = leases.leased(batch, uid);
    return leasedAttributes(lease, desk.policy(lease.tenant), parts.wallMs());
  };
  return {
    Locate: async ({ attributes, storageStatusMask }, batch) => {
      const { holder } = sessionOf(boots, batch);
      const asked = serviceKeyIn(attributes);
      const found =
        asked === null
          ? null
          : await asking(() => desk.locate(holder, asked.tenant, asked.service));
      if (found !== null && !found.ok && !(found.effect === 'denied' && hidden(found.code)))
        throw failureOf(found);
      const matches = found?.ok === true && matching(found, attributes, storageStatusMask);
      const uniqueIdentifiers = matches ? [found.uid] : [];
      batch.idPlaceholder = uniqueIdentifiers[0] ?? null;
      return { locatedItems: uniqueIdentifiers.length, uniqueIdentifiers };
    },
    ObtainLease: async (payload, batch) => {
      const { holder } = sessionOf(boots, batch);
      const uid = objectOf(payload, batch);
      const lease = await asking(() => leases.obtain(batch, holder, uid));
      return {
        uniqueIdentifier: uid,
        leaseTime: lease.seconds,
        lastChangeDate: Math.floor(parts.wallMs() / 1000),
      };
    },
    GetUsageAllocation: (payload, batch) => {
      sessionOf(boots, batch);
      const uniqueIdentifier = objectOf(payload, batch);
      leases.allocate(batch, uniqueIdentifier);
      return { uniqueIdentifier };
    },
    GetAttributes: (payload, batch) => {
      const uniqueIdentifier = objectOf(payload, batch);
      const attributes = attributesOf(uniqueIdentifier, batch);
      return { uniqueIdentifier, attributes: selected(attributes, payload.attributeNames) };
    },
    GetAttributeList: (payload, batch) => {
      const uniqueIdentifier = objectOf(payload, batch);
      const names = attributesOf(uniqueIdentifier, batch).map(({ name }) => name);
      return { uniqueIdentifier, attributeNames: [...new Set(names)] };
    },
    Get: (payload, batch) => {
      const { boot, holder } = sessionOf(boots, batch);
      const uid = objectOf(payload, batch);
      if (uid === boot.kwkUid || anchorVisible(view, holder.edge, uid))
        throw new KmipFailure(ResultReason.NotExtractable, 'export_not_allowed');
      const lease = leases.leased(batch, uid);
      checkWrapping(payload, boot.kwkUid);
      const material = desk.material(holder, uid);
      if (!(material instanceof Secret)) throw failureOf(material);
      return {
        uniqueIdentifier: uid,
        object: wrappedAesKey(wrapped(lease, material, boot.kwk), boot.kwkUid),
      };
    },
  };
}

/** Identity and (term, epoch) lie inside the integrity of the wrap (step 3e). */
function wrapped(lease: L3Lease, material: Secret, kwk: Secret): Buffer {
  using plaintext = material.use((bytes) => Secret.own(wrappedKeyPlaintext(lease, bytes)));
  return aeskwWrap(kwk, plaintext);
}

/** Wrapped under the boot's own KWK with the identity inside, or not at all. @throws KmipFailure */
function checkWrapping(payload: RequestOf<'Get'>, kwkUid: string): void {
  const { keyFormatType, keyWrapType, keyWrappingSpecification: specification } = payload;
  if (keyFormatType !== undefined && keyFormatType !== KeyFormatType.Raw)
    throw new KmipFailure(ResultReason.KeyFormatTypeNotSupported, 'invalid_request: only raw');
  if (specification === undefined || keyWrapType === KeyWrapType.NotWrapped)
    throw new KmipFailure(ResultReason.Sensitive, 'export_not_allowed');
  checkSpecification(specification, kwkUid);
}

function checkSpecification(specification: KeyWrappingSpecification, kwkUid: string): void {
  const { method, encryptionKey, encodingOption, attributeNames } = specification;
  if (encodingOption === EncodingOption.NoEncoding)
    throw new KmipFailure(
      ResultReason.EncodingOptionError,
      'invalid_request: attributes are wrapped with the key, which needs the TTLV encoding',
    );
  if (method !== WrappingMethod.Encrypt || encryptionKey === undefined)
    throw new KmipFailure(ResultReason.FeatureNotSupported, 'invalid_request: Encrypt only');
  if (encryptionKey.uniqueIdentifier !== kwkUid) throw notFound();
  if (encryptionKey.blockCipherMode !== BlockCipherMode.NistKeyWrap)
    throw new KmipFailure(ResultReason.FeatureNotSupported, 'invalid_request: NISTKeyWrap only');
  const asked = new Set(attributeNames);
  const complete = WRAPPED_ATTRIBUTES.every((name) => asked.has(name));
  if (!complete || attributeNames.length !== WRAPPED_ATTRIBUTES.length)
    throw invalid('the wrap holds the identity, the term and the epoch, and nothing else');
}

/** The service key that a Locate means; null when it can match none of ours. */
function serviceKeyIn(list: readonly Attribute[]): { tenant: string; service: string } | null {
  const attributes = new Attributes(list);
  const known = list.every(({ name }) => ['Name', 'State', 'Object Group'].includes(name));
  const asked = parseServiceKeyName(attributes.objectName() ?? '');
  if (!known || asked === null) return null;
  const group = attributes.value('Object Group');
  return group === null || group.value === asked.tenant ? asked : null;
}

/** By its state, and by where it is stored: without a mask on-line alone (KMIP 1.4 §4.9). */
function matching(
  { state, archived }: L3Ref,
  asked: readonly Attribute[],
  stored: number = StorageStatus.OnLine,
): boolean {
  const wanted = new Attributes(asked).value('State');
  const where = archived ? StorageStatus.Archival : StorageStatus.OnLine;
  return (stored & where) !== 0 && (wanted === null || wanted.value === KMIP_STATES[state]);
}

async function asking<T>(ask: () => Promise<T>): Promise<T> {
  try {
    return await ask();
  } catch (error) {
    throw thrown(error);
  }
}
