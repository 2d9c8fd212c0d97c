import { Secret } from '@kcm/crypto';
import {
  attribute,
  Attributes,
  CryptographicAlgorithm,
  isBootId,
  KCM,
  KeyFormatType,
  KmipFailure,
  ObjectType,
  ResultReason,
  State,
  UsageMask,
  type Attribute,
  type RequestOf,
  type ResponseOf,
} from '@kcm/kmip';
import type { Batch, Handlers, Peer } from '@kcm/kmip/server';
import type { Boot, Boots } from './boots.js';
import type { KmipFrontParts } from './front-parts.js';
import { invalid, thrown } from './refusals.js';
import { edgeOf, kwkOf } from './sessions.js';
import { readAcknowledgement, readUsage } from './statements.js';

const KWK_BYTES = 32;
const KWK_ATTRIBUTES = ['Cryptographic Usage Mask', 'Activation Date', KCM.boot];

type KwkOperation = 'Register' | 'AddAttribute' | 'ModifyAttribute' | 'Revoke' | 'Destroy';

/** Steps 1, 7, 10 and 11 of leases.md: the boot's own key, and what the Edge states on it. */
export function kwkHandlers(
  parts: Pick<KmipFrontParts, 'onAcknowledgement' | 'onUsage'>,
  boots: Boots,
): Required<Pick<Handlers<Peer>, KwkOperation>> {
  const state = (
    payload: RequestOf<'AddAttribute'>,
    batch: Batch<Peer>,
  ): Promise<ResponseOf<'AddAttribute'>> =>
    record(parts, kwkOf(boots, batch, payload), payload.attribute, batch);
  return {
    Register: async (payload, batch) => {
      const edge = edgeOf(batch);
      const boot = bootIn(payload.attributes);
      const uniqueIdentifier = await boots.register(batch.peer, edge, boot, materialOf(payload));
      batch.idPlaceholder = uniqueIdentifier;
      return { uniqueIdentifier };
    },
    AddAttribute: state,
    ModifyAttribute: state,
    Revoke: (payload, batch) => {
      const boot = kwkOf(boots, batch, payload);
      boot.usable = false;
      return { uniqueIdentifier: boot.kwkUid };
    },
    Destroy: (payload, batch) => {
      const boot = kwkOf(boots, batch, payload);
      if (boot.usable)
        throw new KmipFailure(ResultReason.IllegalOperation, 'wrong_state: revoke it first');
      boots.destroy(boot);
      return { uniqueIdentifier: boot.kwkUid };
    },
  };
}

/** Every attribute of a KWK. */
export const kwkAttributes = (boot: Boot): readonly Attribute[] => [
  attribute.text('Unique Identifier', boot.kwkUid),
  attribute.enumeration('Object Type', ObjectType.SymmetricKey),
  attribute.enumeration('Cryptographic Algorithm', CryptographicAlgorithm.Aes),
  attribute.integer('Cryptographic Length', KWK_BYTES * 8),
  attribute.integer('Cryptographic Usage Mask', UsageMask.WrapKey),
  attribute.enumeration('State', boot.usable ? State.Active : State.Deactivated),
  attribute.date('Activation Date', 0),
  attribute.boolean('Sensitive', true),
  attribute.boolean('Extractable', false),
  attribute.text(KCM.boot, boot.boot),
];

/** Answers only after the ledger holds what was stated. @throws KmipFailure */
async function record(
  parts: Pick<KmipFrontParts, 'onAcknowledgement' | 'onUsage'>,
  boot: Boot,
  stated: Attribute,
  { peer, traceparent }: Batch<Peer>,
): Promise<ResponseOf<'AddAttribute'>> {
  if (stated.value.type !== 'textString') throw invalid(`${stated.name} must be a text string`);
  const jws = stated.value.value;
  try {
    if (stated.name === KCM.ack)
      await parts.onAcknowledgement(readAcknowledgement(jws, peer, boot), traceparent);
    else if (stated.name === KCM.usage) await parts.onUsage(readUsage(jws, peer, boot));
    else throw invalid('this attribute cannot be set');
  } catch (error) {
    throw thrown(error);
  }
  return { uniqueIdentifier: boot.kwkUid, attribute: stated };
}

/** @throws KmipFailure(InvalidField) */
function bootIn(list: readonly Attribute[]): string {
  const attributes = new Attributes(list);
  const foreign = list.find(({ name }) => !KWK_ATTRIBUTES.includes(name));
  if (foreign !== undefined) throw invalid(`${foreign.name} cannot be set on this key`);
  if (attributes.number('Cryptographic Usage Mask') !== UsageMask.WrapKey)
    throw invalid('Cryptographic Usage Mask must be Wrap Key alone');
  const boot = attributes.text(KCM.boot);
  if (boot === null || !isBootId(boot)) throw invalid(`${KCM.boot} must name the boot`);
  return boot;
}

/** A copy: the message is overwritten after its answer. @throws KmipFailure */
function materialOf({ object }: RequestOf<'Register'>): Secret {
  const { format, algorithm, value } = object.keyBlock;
  if (format !== KeyFormatType.Raw)
    throw new KmipFailure(ResultReason.KeyFormatTypeNotSupported, 'the key must be raw');
  if ('wrapped' in value)
    throw new KmipFailure(ResultReason.FeatureNotSupported, 'the key must not be wrapped');
  const aes = algorithm === undefined || algorithm === CryptographicAlgorithm.Aes;
  if (!aes || value.material.length !== KWK_BYTES) throw invalid('the key must be AES-256');
  return Secret.copy(value.material);
}
