import { DecryptionFailed, KcmError, LIMITS, systemScheduler, within } from '@kcm/kernel';
import { parseBlob, type Blob } from './records/blob.js';
import { leaseOver, type L3Handle } from './records/l3-handle.js';
import type { LeaseKeeper } from './leases/lease-keeper.js';
import type { Operation, UsageLedger } from './usage.js';

/** One item to encrypt or decrypt; `context` in RFC 8785 form, null for none. */
export interface Work {
  readonly bytes: Buffer;
  readonly context: string | null;
}
export interface Done {
  readonly bytes: Buffer;
  readonly keyVersion: number;
  readonly grantId: string;
}
export type Outcome = Done | KcmError;
type Eventually<T> = T | Promise<T>;

/**
 * Encrypts and decrypts for the workloads of one service. Synchronous while the lease is there;
 * a promise when Core has to be asked first. Refusals are results; each is counted.
 */
export class DataPlane {
  constructor(
    readonly service: string,
    private readonly keeper: LeaseKeeper,
    private readonly usage: UsageLedger,
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
    let handle: L3Handle | null = null;
    try {
      const blob = readBlob(work.bytes);
      const found =
        // Not a record at all: find out all the same whether the caller may know of this tenant.
        blob === null
          ? this.keeper.knowing(tenant, this.service, traceparent)
          : this.keeper.opening(tenant, this.service, blob.key, blob.version, traceparent);
      if (found instanceof Promise)
        return this.#late(tenant, 'decrypt', found, (late) => this.#open(late, blob, work));
      handle = found;
      return this.#open(found, blob, work);
    } catch (error) {
      return this.#refused(tenant, 'decrypt', handle, error);
    }
  }

  /** As `UsageLedger.served`. */
  served(tenant: string): boolean {
    return this.usage.served(tenant);
  }

  #seal(handle: L3Handle, work: Work): Done {
    const bytes = handle.seal(work.bytes, work.context);
    this.usage.ok(handle.tenant, handle, 'encrypt', work.bytes.length);
    return { bytes, keyVersion: handle.version, grantId: handle.grantId };
  }

  #open(handle: L3Handle, blob: Blob | null, work: Work): Done {
    if (blob === null) throw new DecryptionFailed();
    const bytes = handle.open(blob, work.context);
    this.usage.ok(handle.tenant, handle, 'decrypt', bytes.length);
    return { bytes, keyVersion: handle.version, grantId: handle.grantId };
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

function readBlob(bytes: Buffer): Blob | null {
  try {
    return parseBlob(bytes);
  } catch {
    return null;
  }
}

const internal = (cause: unknown): KcmError =>
  new KcmError('internal', 'The Edge failed.', { cause });

/** A caller waits so long for Core; the lease that comes later serves the next one. */
async function inTime(found: Promise<L3Handle>): Promise<L3Handle> {
  const handle = await within(systemScheduler, LIMITS.edgeLeaseWaitMsMax, found);
  if (handle === 'late') throw leaseOver();
  return handle;
}
