import { ResultReason } from '../enums.js';
import { KmipFailure } from '../errors.js';
import { Tag } from '../tags.js';
import { item, present } from '../ttlv.js';
import {
  identifiedItem,
  readIdentified,
  readTarget,
  seconds,
  targetItem,
  whole,
} from './common.js';
import type { PayloadCodecs } from './types.js';

/** §4.17 Obtain Lease and §4.18 Get Usage Allocation. */
export const leaseCodecs: Pick<PayloadCodecs, 'ObtainLease' | 'GetUsageAllocation'> = {
  ObtainLease: {
    encodeRequest: (payload) => present([targetItem(payload)]),
    decodeRequest: (fields) => whole(fields, readTarget),
    encodeResponse: (payload) => [
      identifiedItem(payload),
      item.interval(Tag.LeaseTime, payload.leaseTime),
      item.dateTime(Tag.LastChangeDate, BigInt(payload.lastChangeDate)),
    ],
    decodeResponse: (fields) =>
      whole(fields, () => ({
        ...readIdentified(fields),
        leaseTime: fields.need(Tag.LeaseTime, 'interval'),
        lastChangeDate: seconds(fields.need(Tag.LastChangeDate, 'dateTime')),
      })),
  },
  GetUsageAllocation: {
    encodeRequest: (payload) =>
      present([targetItem(payload), item.longInteger(Tag.UsageLimitsCount, payload.count)]),
    decodeRequest: (fields) =>
      whole(fields, () => {
        const target = readTarget(fields);
        const count = fields.need(Tag.UsageLimitsCount, 'longInteger');
        if (count < 1n)
          throw new KmipFailure(ResultReason.InvalidField, 'Usage Limits Count must be positive');
        return { ...target, count };
      }),
    encodeResponse: (payload) => [identifiedItem(payload)],
    decodeResponse: (fields) => whole(fields, readIdentified),
  },
};
