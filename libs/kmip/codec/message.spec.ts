import * as fc from 'fast-check';
import { FIGURES } from '@kcm/testing/figures';
import {
  attribute,
  Attributes,
  BatchErrorContinuation,
  decodeRequest,
  decodeResponse,
  encodeItem,
  encodeRequest,
  encodeResponse,
  Framer,
  item,
  KMIP_1_4,
  KmipFailure,
  LinkType,
  Operation,
  requestItem,
  ResultReason,
  ResultStatus,
  State,
  Tag,
  TtlvError,
  typedRequest,
  typedResult,
  PAYLOADS,
  type OperationName,
  type RequestMessage,
  type RequestOf,
  type ResponseOf,
} from './index.js';
import { leaseWrapping, plainAesKey, wrappedAesKey } from '../profile/index.js';

const hex = (text: string): Buffer => Buffer.from(text.replaceAll(/\s/g, ''), 'hex');
const uniqueIdentifier = 'acme/l3-0123456789ab/1';
const note = attribute.text('x-note', 'ä');

/** One request and one answer of every operation. */
const samples: { [O in OperationName]: readonly [RequestOf<O>, ResponseOf<O>] } = {
  DiscoverVersions: [{ versions: [KMIP_1_4] }, { versions: [KMIP_1_4, { major: 1, minor: 0 }] }],
  Query: [
    { functions: [1, 2, 3] },
    {
      operations: [1, 8],
      objectTypes: [2],
      vendorIdentification: 'OpenKCM',
      serverInformation: [item.textString(0x540001, 'b')],
      capabilities: {
        streaming: false,
        asynchronous: false,
        attestation: false,
        batchUndo: false,
        batchContinue: true,
      },
    },
  ],
  Register: [
    { attributes: [note], object: plainAesKey(Buffer.alloc(32, 7)) },
    { uniqueIdentifier },
  ],
  Locate: [
    { maximumItems: 2, attributes: [attribute.objectName('n'), note] },
    { locatedItems: 1, uniqueIdentifiers: [uniqueIdentifier] },
  ],
  ObtainLease: [{}, { uniqueIdentifier, leaseTime: 10, lastChangeDate: 1205495800 }],
  GetUsageAllocation: [{ uniqueIdentifier, count: 1_000_000n }, { uniqueIdentifier }],
  GetAttributes: [
    { uniqueIdentifier, attributeNames: ['State'] },
    {
      uniqueIdentifier,
      attributes: [
        attribute.enumeration('State', State.Active),
        attribute.link(LinkType.ReplacedObjectLink, 'old'),
        attribute.date('Protect Stop Date', 5),
        attribute.long('y-kcm-epoch', 9),
      ],
    },
  ],
  GetAttributeList: [{ uniqueIdentifier }, { uniqueIdentifier, attributeNames: ['State'] }],
  Get: [
    { keyFormatType: 1, keyWrappingSpecification: leaseWrapping('kwk') },
    { uniqueIdentifier, object: wrappedAesKey(Buffer.alloc(56, 3), 'kwk') },
  ],
  AddAttribute: [
    { uniqueIdentifier, attribute: { ...note, index: 1 } },
    { uniqueIdentifier, attribute: note },
  ],
  ModifyAttribute: [{ attribute: note }, { uniqueIdentifier, attribute: note }],
  Activate: [{ uniqueIdentifier }, { uniqueIdentifier }],
  Revoke: [
    { uniqueIdentifier, reason: { code: 6, message: 'stop' }, compromiseOccurrenceDate: 7 },
    { uniqueIdentifier },
  ],
  Destroy: [{}, { uniqueIdentifier }],
  Notify: [{ uniqueIdentifier, attributes: [note] }, {}],
};
const operations = Object.keys(samples) as OperationName[];

const plain = (value: unknown): unknown =>
  JSON.parse(
    JSON.stringify(value, (_key, inner: unknown) => {
      if (typeof inner === 'bigint') return `${inner}n`;
      return inner instanceof Uint8Array ? Buffer.from(inner).toString('hex') : inner;
    }),
  );

describe('KMIP messages', () => {
  it('reads the published Discover Versions request and answer', () => {
    const request = hex(
      '42007801 00000060 42007701 00000038 42006901 00000020 42006A02 00000004 00000001 00000000' +
        '42006B02 00000004 00000004 00000000 42000D02 00000004 00000001 00000000' +
        '42000F01 00000018 42005C05 00000004 0000001E 00000000 42007901 00000000',
    );
    const decoded = decodeRequest(request);
    expect(decoded.header.version).toEqual(KMIP_1_4);
    expect(typedRequest(decoded.items[0]!)).toEqual({
      operation: 'DiscoverVersions',
      payload: { versions: [] },
    });
    expect(encodeRequest(decoded).equals(request)).toBe(true);
  });

  it.each(operations)('carries the request and the answer of %s', (operation) => {
    const [request, response] = samples[operation];
    const message = encodeRequest({
      header: { version: KMIP_1_4 },
      items: [requestItem(operation, request)],
    });
    const [entry] = decodeRequest(message).items;
    expect(plain(typedRequest(entry!))).toEqual(plain({ operation, payload: request }));
    const answer = encodeResponse({
      header: { version: KMIP_1_4, timeStamp: 1n },
      items: [
        {
          operation: Operation[operation],
          status: ResultStatus.Success,
          payload: PAYLOADS[operation].encodeResponse(response as never),
        },
      ],
    });
    const result = typedResult(operation, decodeResponse(answer).items[0]!);
    expect(plain(result)).toEqual(plain({ ok: true, payload: response }));
  });

  it('carries every field of both headers', () => {
    const header = {
      version: { major: 1, minor: 2 },
      maximumResponseSize: 4096,
      clientCorrelationValue: 'c-1',
      serverCorrelationValue: 's-1',
      asynchronousIndicator: false,
      authentication: [item.textString(0x420099, 'someone')],
      batchErrorContinuation: BatchErrorContinuation.Continue,
      batchOrder: true,
      timeStamp: 12n,
    };
    const items = [1, 2].map((id) => requestItem('Destroy', {}, Buffer.from([id])));
    const decoded = decodeRequest(encodeRequest({ header, items }));
    expect(decoded.header).toEqual(header);
    expect(decoded.items.map((entry) => entry.uniqueBatchItemId?.[0])).toEqual([1, 2]);
    const answer = {
      header: {
        version: KMIP_1_4,
        timeStamp: 3n,
        clientCorrelationValue: 'c',
        serverCorrelationValue: 's',
      },
      items: [
        {
          operation: Operation.Get,
          uniqueBatchItemId: Buffer.from([1]),
          status: ResultStatus.OperationFailed,
          reason: ResultReason.PermissionDenied,
          message: 'no',
        },
      ],
    };
    expect(decodeResponse(encodeResponse(answer))).toEqual(answer);
  });

  it('names the operation that it does not know as not supported', () => {
    for (const operation of [Operation.Poll, 0x7777])
      expect(() => typedRequest({ operation, payload: [] })).toThrow(
        expect.objectContaining({ reason: ResultReason.OperationNotSupported }),
      );
  });

  it('never takes a failure, a pending or an undone operation for a success', () => {
    const failed = { operation: Operation.Destroy, status: ResultStatus.OperationFailed } as const;
    expect(typedResult('Destroy', { ...failed, reason: 0x16 })).toMatchObject({
      ok: false,
      failure: { reason: ResultReason.Sensitive },
    });
    expect(typedResult('Destroy', { ...failed, reason: 0x99999 })).toMatchObject({
      ok: false,
      failure: { reason: ResultReason.GeneralFailure },
    });
    for (const status of [ResultStatus.OperationPending, ResultStatus.OperationUndone])
      expect(typedResult('Destroy', { operation: Operation.Destroy, status }).ok).toBe(false);
    expect(() =>
      typedResult('Destroy', { operation: Operation.Get, status: 0, payload: [] }),
    ).toThrow(KmipFailure);
  });

  const header = item.structure(Tag.RequestHeader, [
    item.structure(Tag.ProtocolVersion, [
      item.integer(Tag.ProtocolVersionMajor, 1),
      item.integer(Tag.ProtocolVersionMinor, 4),
    ]),
    item.integer(Tag.BatchCount, 1),
  ]);
  const batchItem = item.structure(Tag.BatchItem, [
    item.enumeration(Tag.Operation, Operation.Query),
    item.structure(Tag.RequestPayload, []),
  ]);
  it.each<[string, Parameters<typeof item.structure>[1]]>([
    ['no header', [batchItem]],
    ['fewer items than the count', [header]],
    ['more items than the count', [header, batchItem, batchItem]],
    ['fields out of order', [batchItem, header]],
    ['a header of another type', [item.integer(Tag.RequestHeader, 1), batchItem]],
    [
      'a negative count',
      [item.structure(Tag.RequestHeader, [item.integer(Tag.BatchCount, -1)]), batchItem],
    ],
    [
      'a payload that is no structure',
      [
        header,
        item.structure(Tag.BatchItem, [
          item.enumeration(Tag.Operation, 1),
          item.integer(Tag.RequestPayload, 1),
        ]),
      ],
    ],
  ])('refuses a message with %s', (_name, fields) => {
    expect(() => decodeRequest(encodeItem(item.structure(Tag.RequestMessage, fields)))).toThrow(
      expect.objectContaining({ reason: ResultReason.InvalidMessage }),
    );
  });

  it('answers any mutation of a message with a message or a KmipFailure', () => {
    const message: RequestMessage = {
      header: { version: KMIP_1_4, batchOrder: true, clientCorrelationValue: 'x' },
      items: operations.map((name, index) =>
        requestItem(name, samples[name][0] as never, Buffer.from([index])),
      ),
    };
    const base = encodeRequest(message);
    const changes = fc.array(fc.tuple(fc.nat(base.length - 1), fc.nat(255)), {
      minLength: 1,
      maxLength: 3,
    });
    fc.assert(
      fc.property(changes, (list) => {
        const bytes = Buffer.from(base);
        for (const [at, byte] of list) bytes[at] = byte;
        try {
          for (const entry of decodeRequest(bytes).items) {
            try {
              typedRequest(entry);
            } catch (error) {
              expect(error).toBeInstanceOf(KmipFailure);
            }
          }
        } catch (error) {
          expect(error).toBeInstanceOf(KmipFailure);
        }
      }),
      { numRuns: FIGURES.kmipMutations },
    );
  });

  it('reads attributes by name and by type, and nothing from another type', () => {
    const attributes = new Attributes(samples.GetAttributes[1].attributes);
    expect(attributes.number('State')).toBe(State.Active);
    expect(attributes.number('y-kcm-epoch')).toBe(9);
    expect(attributes.number('Protect Stop Date')).toBe(5);
    expect(attributes.link(LinkType.ReplacedObjectLink)).toBe('old');
    expect(attributes.link(LinkType.ReplacementObjectLink)).toBeNull();
    expect(attributes.text('State')).toBeNull();
    expect(new Attributes([attribute.long('big', 2n ** 60n)]).number('big')).toBeNull();
    expect(new Attributes([attribute.objectName('n')]).objectName()).toBe('n');
  });
});

describe('Framer', () => {
  const messages = [1, 2, 3].map((count) =>
    encodeRequest({
      header: { version: KMIP_1_4 },
      items: Array.from({ length: count }, (_, index) =>
        requestItem('Destroy', { uniqueIdentifier: `k${index}` }, Buffer.from([index])),
      ),
    }),
  );

  it('cuts the same messages wherever the stream is broken', () => {
    const stream = Buffer.concat(messages);
    fc.assert(
      fc.property(fc.array(fc.nat(stream.length), { maxLength: 20 }), (breaks) => {
        const framer = new Framer(Tag.RequestMessage, 4096);
        const cuts = [0, ...breaks.toSorted((a, b) => a - b), stream.length];
        const found = cuts.flatMap((from, index) =>
          framer.push(Buffer.from(stream.subarray(from, cuts[index + 1]))),
        );
        expect(found.map((bytes) => bytes.toString('hex'))).toEqual(
          messages.map((bytes) => bytes.toString('hex')),
        );
        expect(framer.partial).toBe(false);
      }),
      { numRuns: 200 },
    );
  });

  it('refuses a foreign start and an announced excess before the rest arrives', () => {
    const start = (text: string) => () => new Framer(Tag.RequestMessage, 64).push(hex(text));
    expect(start('474554202F204854')).toThrow(TtlvError);
    expect(start('42007B0100000008')).toThrow(expect.objectContaining({ fault: 'wrong_tag' }));
    expect(start('4200780100000040')).toThrow(expect.objectContaining({ fault: 'too_large' }));
    expect(start('4200780100000009')).toThrow(expect.objectContaining({ fault: 'wrong_length' }));
    expect(start('4200780100000038')()).toEqual([]);
  });

  it('leaves nothing of a message in the chunks that it came in', () => {
    const framer = new Framer(Tag.RequestMessage, 4096);
    const chunk = Buffer.from(messages[0]!);
    expect(framer.push(chunk)).toHaveLength(1);
    expect(chunk.every((byte) => byte === 0)).toBe(true);
  });
});
