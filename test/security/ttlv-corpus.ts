import {
  attribute,
  BatchErrorContinuation,
  encodeRequest,
  KCM,
  KeyFormatType,
  KMIP_1_4,
  LEASE_ATTRIBUTES,
  leaseWrapping,
  type OperationName,
  plainAesKey,
  QueryFunction,
  requestItem,
  type RequestOf,
  RENEWAL_ATTRIBUTES,
  RevocationReasonCode,
  serviceKeyName,
  State,
  type TypedRequest,
  UsageMask,
} from '@kcm/kmip';

type Requests = { readonly [O in OperationName]: readonly RequestOf<O>[] };

export const encoded = (requests: readonly TypedRequest[], goOn = false): Buffer =>
  encodeRequest({
    header: {
      version: KMIP_1_4,
      clientCorrelationValue: 'c-1',
      batchOrder: true,
      ...(goOn ? { batchErrorContinuation: BatchErrorContinuation.Continue } : {}),
    },
    items: requests.map(({ operation, payload }, at) =>
      requestItem(operation, payload as never, Buffer.from([at])),
    ),
  });

/** What an Edge asks for a lease (the whole of it in one batch). */
export const leaseOf = (kwk: string): readonly TypedRequest[] => [
  {
    operation: 'Locate',
    payload: {
      maximumItems: 2,
      attributes: [
        attribute.objectName(serviceKeyName('acme', 'billing')),
        attribute.enumeration('State', State.Active),
      ],
    },
  },
  { operation: 'ObtainLease', payload: {} },
  { operation: 'GetUsageAllocation', payload: { count: 10n } },
  { operation: 'GetAttributes', payload: { attributeNames: LEASE_ATTRIBUTES } },
  { operation: 'Get', payload: { keyWrappingSpecification: leaseWrapping(kwk) } },
];

export const registrationOf = (boot: string, key: Buffer): RequestOf<'Register'> => ({
  attributes: [
    attribute.integer('Cryptographic Usage Mask', UsageMask.WrapKey),
    attribute.date('Activation Date', 0),
    attribute.text(KCM.boot, boot),
  ],
  object: plainAesKey(key),
});

export interface CorpusParts {
  /** Unique identifier of a key that may be leased, and of the boot's own. */
  readonly uid: string;
  readonly kwk: string;
  readonly boot: string;
  /** A statement that verifies. */
  readonly ack: string;
}

/** Real messages: each operation that the codec knows, alone, and the batches of an Edge. */
export function corpus({ uid, kwk, boot, ack }: CorpusParts): readonly Buffer[] {
  const target = { uniqueIdentifier: uid };
  const own = { uniqueIdentifier: kwk };
  const reason = { code: RevocationReasonCode.KeyCompromise, message: 'lost' };
  const wrapping = leaseWrapping(kwk);
  const requests: Requests = {
    DiscoverVersions: [{ versions: [KMIP_1_4] }, { versions: [] }],
    Query: [{ functions: Object.values(QueryFunction) }],
    Register: [registrationOf(boot, Buffer.alloc(32, 7))],
    Locate: [
      { maximumItems: 2, offsetItems: 1, attributes: [attribute.text('Object Group', uid)] },
    ],
    ObtainLease: [target, {}],
    GetUsageAllocation: [{ ...target, count: 10n }],
    GetAttributes: [{ ...own, attributeNames: [] }],
    GetAttributeList: [own, target],
    Get: [{ ...target, keyFormatType: KeyFormatType.Raw, keyWrappingSpecification: wrapping }, own],
    AddAttribute: [{ ...own, attribute: attribute.text(KCM.ack, ack) }],
    ModifyAttribute: [{ ...own, attribute: attribute.text(KCM.usage, ack) }],
    Activate: [target],
    Revoke: [{ ...own, reason, compromiseOccurrenceDate: 0 }],
    Destroy: [own],
    Notify: [{ ...target, attributes: [attribute.enumeration('State', State.Destroyed)] }],
  };
  const each = Object.entries(requests).flatMap(([operation, payloads]) =>
    payloads.map((payload) => ({ operation, payload }) as TypedRequest),
  );
  const renewal: readonly TypedRequest[] = [
    { operation: 'ObtainLease', payload: target },
    { operation: 'GetAttributes', payload: { ...target, attributeNames: RENEWAL_ATTRIBUTES } },
  ];
  return [
    ...each.map((request) => encoded([request])),
    encoded(leaseOf(kwk)),
    encoded(renewal),
    encoded(each, true),
  ];
}
