import {
  DecryptionFailed,
  KcmError,
  LIMITS,
  rfc3339,
  systemScheduler,
  uuidv4,
  within,
  type Random,
} from '@kcm/kernel';
import { DATA_KEY_BYTES, type Blob, type Purpose } from './records/blob.js';
import { leaseOver, type L3Handle } from './records/l3-handle.js';
import type { LeaseKeeper } from './leases/lease-keeper.js';
import type { Operation, UsageLedger } from './usage.js';
import {
  assertMayExport,
  doneBy,
  idBytes,
  orNull,
  readBlob,
  uuidOf,
  type DataKey,
  type Done,
  type Outcome,
  type Work,
} from './work.js';

interface Read {
  readonly done: Done;
  readonly handle: L3Handle;
  /** Of a data key. */
  readonly id: Buffer | null;
}
export interface DataPlaneParts {
  readonly random: Random;
  readonly wallMs: () => number;
}
type Eventually<T> = T | Promise<T>;

/**
 * Encrypts and decrypts for the workloads of one service. Synchronous while the lease is there;
 * a promise when Core has to be asked first, or when something is sealed anew. Refusals are results;
 * each is counted.
 */
export class DataPlane {
  constructor(
    readonly service: string,
    private readonly keeper: LeaseKeeper,
    private readonly usage: UsageLedger,
    private readonly parts: DataPlaneParts,
  ) {}

  encrypt(tenant: string, work: Work, traceparent?: string): Eventually<Outcome> {
    let handle: L3Handle | null = null;
    try {
      const found = this.keeper.protecting(tenant, this.service, traceparent);
      if (found instanceof Promise)
        return this.#late(tenant, 'encrypt', found, (late) => this.#seal(late, work));
      handle = found;
      return this.#seal(found, work);
    } catch (error) {
      return this.#refused(tenant, 'encrypt', handle, error);
    }
  }

  decrypt(tenant: string, work: Work, traceparent?: string): Eventually<Outcome> {
    if (work.rewrap === true)
      return this.#reading(tenant, 'decrypt', work, traceparent, ({ done }) => done);
    let handle: L3Handle | null = null;
    try {
      const blob = readBlob(work.bytes, 'record');
      const found = this.#opening(tenant, blob, traceparent);
      if (found instanceof Promise)
        return this.#late(tenant, 'decrypt', found, (late) => this.#open(late, blob, work));
      handle = found;
      return this.#open(found, blob, work);
    } catch (error) {
      return this.#refused(tenant, 'decrypt', handle, error);
    }
  }

  /** A record sealed by the newest version in place of the one that it was; shown to nobody. */
  rewrap(tenant: string, work: Work, traceparent?: string): Promise<Outcome> {
    return this.#rewrap(tenant, 'record', work, traceparent);
  }

  /** As `rewrap`, of a wrapped data key. */
  rewrapDataKey(tenant: string, work: Work, traceparent?: string): Promise<Outcome> {
    return this.#rewrap(tenant, 'dataKey', work, traceparent);
  }

  /** A new data key. `context` as in `Work`. Refused unless the tenant allows it. */
  dataKey(
    tenant: string,
    context: string | null,
    traceparent?: string,
  ): Promise<DataKey | KcmError> {
    return this.#counted(tenant, 'dataKey', async (hold) => {
      const found = this.keeper.protecting(tenant, this.service, traceparent);
      const handle = hold(await inTime(found));
      assertMayExport(handle);
      const id = uuidv4(this.parts.random);
      const key = this.parts.random.bytes(DATA_KEY_BYTES);
      try {
        const wrapped = handle.seal(key, context, idBytes(id));
        this.usage.ok(tenant, handle, 'dataKey', key.length);
        return { ...doneBy(handle, key), id, wrapped, expiresAt: this.#endOf(handle) };
      } catch (error) {
        key.fill(0);
        throw error;
      }
    });
  }

  /** The data key that `work.bytes` wraps. Refused as `dataKey`. */
  async unwrap(tenant: string, work: Work, traceparent?: string): Promise<DataKey | KcmError> {
    return this.#reading(tenant, 'dataKeyUnwrap', work, traceparent, ({ done, handle, id }) => ({
      ...done,
      id: uuidOf(id!),
      wrapped: work.bytes,
      expiresAt: this.#endOf(handle),
    }));
  }

  /** As `UsageLedger.served`. */
  served(tenant: string): boolean {
    return this.usage.served(tenant);
  }

  #seal(handle: L3Handle, work: Work): Done {
    const bytes = handle.seal(work.bytes, work.context);
    this.usage.ok(handle.tenant, handle, 'encrypt', work.bytes.length);
    return doneBy(handle, bytes);
  }

  #open(handle: L3Handle, blob: Blob | null, work: Work): Done {
    if (blob === null) throw new DecryptionFailed();
    const bytes = handle.open(blob, work.context);
    this.usage.ok(handle.tenant, handle, 'decrypt', bytes.length);
    return doneBy(handle, bytes);
  }

  /** Null: nothing of ours; all the same it is found out whether the caller may know the tenant. */
  #opening(tenant: string, blob: Blob | null, traceparent?: string): Eventually<L3Handle> {
    return blob === null
      ? this.keeper.knowing(tenant, this.service, traceparent)
      : this.keeper.opening(tenant, this.service, blob.key, blob.version, traceparent);
  }

  #reading<T>(
    tenant: string,
    operation: 'decrypt' | 'dataKeyUnwrap',
    work: Work,
    traceparent: string | undefined,
    given: (read: Read) => T,
  ): Promise<T | KcmError> {
    return this.#counted(tenant, operation, async (hold) => {
      const blob = readBlob(work.bytes, operation === 'decrypt' ? 'record' : 'dataKey');
      const handle = hold(await inTime(this.#opening(tenant, blob, traceparent)));
      if (operation === 'dataKeyUnwrap') assertMayExport(handle);
      if (blob === null) throw new DecryptionFailed();
      const wanted = work.rewrap === true && handle.replaced;
      const newest = wanted ? this.#newest(tenant, traceparent) : null;
      const bytes = handle.open(blob, work.context);
      this.usage.ok(tenant, handle, operation, bytes.length);
      const moves = newest !== null && newest.version > handle.version;
      const rewrapped = moves ? orNull(() => this.#anew(handle, newest, bytes, blob, work)) : null;
      return given({ done: { ...doneBy(handle, bytes), rewrapped }, handle, id: blob.id });
    });
  }

  #rewrap(
    tenant: string,
    purpose: Purpose,
    work: Work,
    traceparent?: string,
  ): Promise<Done | KcmError> {
    return this.#counted(tenant, 'rewrapFrom', async (hold) => {
      this.usage.assertMayMove();
      const blob = readBlob(work.bytes, purpose);
      const from = hold(await inTime(this.#opening(tenant, blob, traceparent)));
      if (blob === null) throw new DecryptionFailed();
      const stays = !from.replaced && from.stopped === null;
      const found = stays ? from : this.keeper.protecting(tenant, this.service, traceparent);
      const to = await inTime(found);
      const plaintext = from.openForRewrap(blob, work.context);
      try {
        if (to.version > from.version)
          return doneBy(to, this.#anew(from, to, plaintext, blob, work));
        this.usage.ok(tenant, from, 'rewrapFrom', plaintext.length);
        return doneBy(from, work.bytes);
      } finally {
        plaintext.fill(0);
      }
    });
  }

  /** Null where none is held to protect with: whoever reads does not wait, nor is refused. */
  #newest(tenant: string, traceparent?: string): L3Handle | null {
    return orNull(() => {
      this.usage.assertMayMove();
      const found = this.keeper.protecting(tenant, this.service, traceparent);
      if (!(found instanceof Promise)) return found;
      found.catch(() => undefined);
      return null;
    });
  }

  #anew(from: L3Handle, to: L3Handle, plaintext: Buffer, blob: Blob, work: Work): Buffer {
    const bytes = to.seal(plaintext, work.context, blob.id);
    this.usage.moved(from.tenant, from, plaintext.length, work.bytes);
    this.usage.ok(to.tenant, to, 'rewrapTo', plaintext.length);
    return bytes;
  }

  #endOf({ deadline }: L3Handle): string {
    return rfc3339(this.parts.wallMs() + deadline.remainingMs());
  }

  /** `act` says which handle it goes by as soon as it has one. */
  async #counted<T>(
    tenant: string,
    operation: Operation,
    act: (hold: (found: L3Handle) => L3Handle) => Promise<T>,
  ): Promise<T | KcmError> {
    let handle: L3Handle | null = null;
    try {
      return await act((found) => (handle = found));
    } catch (error) {
      return this.#refused(tenant, operation, handle, error);
    }
  }

  async #late(
    tenant: string,
    operation: Operation,
    found: Promise<L3Handle>,
    act: (handle: L3Handle) => Done,
  ): Promise<Outcome> {
    let handle: L3Handle | null = null;
    try {
      handle = await inTime(found);
      return act(handle);
    } catch (error) {
      return this.#refused(tenant, operation, handle, error);
    }
  }

  #refused(
    tenant: string,
    operation: Operation,
    handle: L3Handle | null,
    error: unknown,
  ): KcmError {
    const known = error instanceof KcmError ? error : internal(error);
    this.usage.refused(tenant, handle, operation, known.code);
    return known;
  }
}

const internal = (cause: unknown): KcmError =>
  new KcmError('internal', 'The Edge failed.', { cause });

/** A caller waits so long for Core; the lease that comes later serves the next one. */
async function inTime(found: Eventually<L3Handle>): Promise<L3Handle> {
  if (!(found instanceof Promise)) return found;
  const handle = await within(systemScheduler, LIMITS.edgeLeaseWaitMsMax, found);
  if (handle === 'late') throw leaseOver();
  return handle;
}
