import type { Secret } from '@kcm/crypto';
import {
  attribute,
  BatchErrorContinuation,
  KeyFormatType,
  KmipFailure,
  LEASE_ATTRIBUTES,
  leaseWrapping,
  RENEWAL_ATTRIBUTES,
  ResultReason,
  serviceKeyName,
  StorageStatus,
  type TypedResult,
} from '@kcm/kmip';
import type { CoreExchange } from './core-exchange.js';
import type { Lease, Proof, Refusal } from './core-port.js';
import { leaseFrom, notFound, proofFrom, refusalFrom, WrongAnswer } from './kmip-answers.js';
import type { KmipSession } from './kmip-session.js';

type Session = Pick<KmipSession, 'client' | 'kwkUid'>;
type Correlated = CoreExchange['correlated'];

/** Core has forgotten this boot's key: a lease was granted and cannot be wrapped. */
export class KeyGone extends Error {}

/**
 * The current key of a service; `allocation` null: to decrypt with.
 * @throws WrongAnswer · KeyGone · KmipFailure as Core refuses
 */
export async function obtainLease(
  { client, kwkUid }: Session,
  correlated: Correlated,
  kwk: Secret,
  asked: { readonly tenant: string; readonly service: string; readonly allocation: number | null },
): Promise<Lease | Refusal> {
  const { tenant, service, allocation } = asked;
  const locate = {
    operation: 'Locate',
    payload: {
      maximumItems: 2,
      // Whatever its state, so that it is told apart from a key that is not there.
      storageStatusMask: StorageStatus.OnLine | StorageStatus.Archival,
      attributes: [attribute.objectName(serviceKeyName(tenant, service))],
    },
  } as const;
  const obtain = { operation: 'ObtainLease', payload: {} } as const;
  const attributes = {
    operation: 'GetAttributes',
    payload: { attributeNames: LEASE_ATTRIBUTES },
  } as const;
  const get = { operation: 'Get', payload: getWrapped(kwkUid) } as const;
  if (allocation === null) {
    const reading = [locate, obtain, attributes, get] as const;
    const { results } = await client.batch(reading, correlated);
    const [located, obtained, answered, got] = results;
    return leaseIn(tenant, kwk, { located, obtained, allocated: null, answered, got });
  }
  const allocate = {
    operation: 'GetUsageAllocation',
    payload: { count: BigInt(allocation) },
  } as const;
  const protecting = [locate, obtain, allocate, attributes, get] as const;
  const { results } = await client.batch(protecting, correlated);
  const [located, obtained, allocated, answered, got] = results;
  return leaseIn(tenant, kwk, { located, obtained, allocated, answered, got });
}

/** The lease in the answers to steps 3a–3e. @throws as `obtainLease` */
function leaseIn(
  tenant: string,
  kwk: Secret,
  answers: {
    readonly located: TypedResult<'Locate'>;
    readonly obtained: TypedResult<'ObtainLease'>;
    readonly allocated: TypedResult<'GetUsageAllocation'> | null;
    readonly answered: TypedResult<'GetAttributes'>;
    readonly got: TypedResult<'Get'>;
  },
): Lease | Refusal {
  const uids = given(answers.located).uniqueIdentifiers;
  if (uids.length === 0) return notFound;
  if (uids.length > 1) throw new WrongAnswer('more than one current key');
  if (!answers.obtained.ok) return { ...refusalFrom(answers.obtained.failure), uid: uids[0]! };
  const lease = given(answers.obtained);
  if (answers.allocated !== null) given(answers.allocated);
  const attributes = given(answers.answered);
  const proof = proofFrom(uids[0]!, lease, attributes);
  return proof.ok ? leaseFrom(tenant, proof, attributes, gotten(answers.got), kwk) : proof;
}

/** A key version by its uid, to decrypt with. @throws as `obtainLease` */
export async function obtainOldLease(
  { client, kwkUid }: Session,
  correlated: Correlated,
  kwk: Secret,
  { tenant, uid }: { readonly tenant: string; readonly uid: string },
): Promise<Lease | Refusal> {
  const target = { uniqueIdentifier: uid };
  const { results } = await client.batch(
    [
      { operation: 'ObtainLease', payload: target },
      { operation: 'GetAttributes', payload: { ...target, attributeNames: LEASE_ATTRIBUTES } },
      { operation: 'Get', payload: { ...target, ...getWrapped(kwkUid) } },
    ],
    correlated,
  );
  const [obtained, answered, got] = results;
  const lease = given(obtained);
  const attributes = given(answered);
  const proof = proofFrom(uid, lease, attributes);
  if (!proof.ok) return proof;
  return leaseFrom(tenant, { ...proof, mayProtect: false }, attributes, gotten(got), kwk);
}

/** What became of each, to be read: reading one throws as `obtainLease` does. */
export async function renewLeases(
  { client }: Session,
  correlated: Correlated,
  uids: readonly string[],
): Promise<readonly (() => Proof | Refusal)[]> {
  const { results } = await client.batch(
    uids.flatMap((uniqueIdentifier) => [
      { operation: 'ObtainLease' as const, payload: { uniqueIdentifier } },
      {
        operation: 'GetAttributes' as const,
        payload: { uniqueIdentifier, attributeNames: RENEWAL_ATTRIBUTES },
      },
    ]),
    // One key that is refused must not cost the others their lease.
    { ...correlated, continuation: BatchErrorContinuation.Continue },
  );
  return uids.map((uid, at) => () => {
    const obtained = results[2 * at] as TypedResult<'ObtainLease'>;
    const answered = results[2 * at + 1] as TypedResult<'GetAttributes'>;
    return proofFrom(uid, given(obtained), given(answered));
  });
}

const getWrapped = (kwkUid: string) => ({
  keyFormatType: KeyFormatType.Raw,
  keyWrappingSpecification: leaseWrapping(kwkUid),
});

/** The payload of one item of a batch. @throws KmipFailure as the server refused it */
function given<T>(result: { ok: true; payload: T } | { ok: false; failure: KmipFailure }): T {
  if (!result.ok) throw result.failure;
  return result.payload;
}

/** A lease was granted and yet something is not found: it is the wrapping key. @throws KeyGone */
function gotten(result: TypedResult<'Get'>) {
  if (!result.ok && result.failure.reason === ResultReason.ItemNotFound) throw new KeyGone();
  return given(result);
}
