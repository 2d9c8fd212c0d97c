import { attributeItem, readAttributes } from '../attributes.js';
import { Tag } from '../tags.js';
import { item, present } from '../ttlv.js';
import {
  identifiedItem,
  needAttribute,
  readIdentified,
  readTarget,
  targetItem,
  whole,
} from './common.js';
import type { PayloadCodec, PayloadCodecs } from './types.js';

const oneAttribute: PayloadCodec<'AddAttribute'> & PayloadCodec<'ModifyAttribute'> = {
  encodeRequest: (payload) => present([targetItem(payload), attributeItem(payload.attribute)]),
  decodeRequest: (fields) =>
    whole(fields, () => ({ ...readTarget(fields), attribute: needAttribute(fields) })),
  encodeResponse: (payload) => [identifiedItem(payload), attributeItem(payload.attribute)],
  decodeResponse: (fields) =>
    whole(fields, () => ({ ...readIdentified(fields), attribute: needAttribute(fields) })),
};

/** §4.12–4.15 attributes of an object; §5.1 Notify, which tells a client of changed ones. */
export const attributeCodecs: Pick<
  PayloadCodecs,
  'GetAttributes' | 'GetAttributeList' | 'AddAttribute' | 'ModifyAttribute' | 'Notify'
> = {
  GetAttributes: {
    encodeRequest: (payload) =>
      present([
        targetItem(payload),
        ...payload.attributeNames.map((name) => item.textString(Tag.AttributeName, name)),
      ]),
    decodeRequest: (fields) =>
      whole(fields, () => ({
        ...readTarget(fields),
        attributeNames: fields.many(Tag.AttributeName, 'textString'),
      })),
    encodeResponse: (payload) => [
      identifiedItem(payload),
      ...payload.attributes.map(attributeItem),
    ],
    decodeResponse: (fields) =>
      whole(fields, () => ({ ...readIdentified(fields), attributes: readAttributes(fields) })),
  },
  GetAttributeList: {
    encodeRequest: (payload) => present([targetItem(payload)]),
    decodeRequest: (fields) => whole(fields, readTarget),
    encodeResponse: (payload) => [
      identifiedItem(payload),
      ...payload.attributeNames.map((name) => item.textString(Tag.AttributeName, name)),
    ],
    decodeResponse: (fields) =>
      whole(fields, () => ({
        ...readIdentified(fields),
        attributeNames: fields.many(Tag.AttributeName, 'textString'),
      })),
  },
  AddAttribute: oneAttribute,
  ModifyAttribute: oneAttribute,
  Notify: {
    encodeRequest: (payload) => [identifiedItem(payload), ...payload.attributes.map(attributeItem)],
    decodeRequest: (fields) =>
      whole(fields, () => ({ ...readIdentified(fields), attributes: readAttributes(fields) })),
    encodeResponse: () => [],
    decodeResponse: (fields) => whole(fields, () => ({})),
  },
};
