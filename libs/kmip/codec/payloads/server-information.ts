import { QueryFunction } from '../enums.js';
import type { Fields } from '../fields.js';
import { readVersion, versionItem, type ProtocolVersion } from '../message.js';
import { Tag } from '../tags.js';
import { item, optional, present, type Item } from '../ttlv.js';
import { whole } from './common.js';
import type { Capabilities, PayloadCodecs } from './types.js';

function readVersions(fields: Fields): { versions: ProtocolVersion[] } {
  const versions: ProtocolVersion[] = [];
  for (
    let next = fields.takeFields(Tag.ProtocolVersion);
    next !== null;
    next = fields.takeFields(Tag.ProtocolVersion)
  )
    versions.push(readVersion(next));
  return { versions };
}

const capabilityItem = (can: Capabilities): Item =>
  item.structure(Tag.CapabilityInformation, [
    item.boolean(Tag.StreamingCapability, can.streaming),
    item.boolean(Tag.AsynchronousCapability, can.asynchronous),
    item.boolean(Tag.AttestationCapability, can.attestation),
    item.boolean(Tag.BatchUndoCapability, can.batchUndo),
    item.boolean(Tag.BatchContinueCapability, can.batchContinue),
  ]);

const readCapabilities = (fields: Fields): Capabilities =>
  whole(fields, () => ({
    streaming: fields.take(Tag.StreamingCapability, 'boolean') ?? false,
    asynchronous: fields.take(Tag.AsynchronousCapability, 'boolean') ?? false,
    attestation: fields.take(Tag.AttestationCapability, 'boolean') ?? false,
    batchUndo: fields.take(Tag.BatchUndoCapability, 'boolean') ?? false,
    batchContinue: fields.take(Tag.BatchContinueCapability, 'boolean') ?? false,
  }));

/** §4.25 Query and §4.26 Discover Versions. */
export const serverInformationCodecs: Pick<PayloadCodecs, 'DiscoverVersions' | 'Query'> = {
  DiscoverVersions: {
    encodeRequest: ({ versions }) => versions.map(versionItem),
    decodeRequest: (fields) => whole(fields, readVersions),
    encodeResponse: ({ versions }) => versions.map(versionItem),
    decodeResponse: (fields) => whole(fields, readVersions),
  },
  Query: {
    encodeRequest: ({ functions }) =>
      functions.map((value) => item.enumeration(Tag.QueryFunction, value)),
    decodeRequest: (fields) =>
      whole(fields, () => {
        const functions = [fields.needEnum(Tag.QueryFunction, QueryFunction)];
        for (;;) {
          const next = fields.takeEnum(Tag.QueryFunction, QueryFunction);
          if (next === null) return { functions };
          functions.push(next);
        }
      }),
    encodeResponse: ({ operations, objectTypes, vendorIdentification, ...more }) =>
      present([
        ...(operations ?? []).map((value) => item.enumeration(Tag.Operation, value)),
        ...(objectTypes ?? []).map((value) => item.enumeration(Tag.ObjectType, value)),
        optional(item.textString, Tag.VendorIdentification, vendorIdentification),
        optional(item.structure, Tag.ServerInformation, more.serverInformation),
        more.capabilities === undefined ? null : capabilityItem(more.capabilities),
      ]),
    decodeResponse: (fields) =>
      whole(fields, () => {
        const operations = fields.many(Tag.Operation, 'enumeration');
        const objectTypes = fields.many(Tag.ObjectType, 'enumeration');
        const vendor = fields.take(Tag.VendorIdentification, 'textString');
        const information = fields.take(Tag.ServerInformation, 'structure');
        const capabilities = fields.takeFields(Tag.CapabilityInformation);
        return {
          operations,
          objectTypes,
          ...(vendor === null ? {} : { vendorIdentification: vendor }),
          ...(information === null ? {} : { serverInformation: information }),
          ...(capabilities === null ? {} : { capabilities: readCapabilities(capabilities) }),
        };
      }),
  },
};
