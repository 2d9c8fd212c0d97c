import { DecryptionFailed, KcmError, LIMITS } from '@kcm/kernel';
import { parseBlob } from './blob.js';
import { leaseOver, type L3Handle } from './l3-handle.js';
import type { LeaseKeeper } from './lease-keeper.js';
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

  encrypt(tenant: string, work: Work): Eventually<Outcome> {
    return this.#run(
      tenant,
      'encrypt',
      () => this.keeper.protecting(tenant, this.service),
      (handle) => this.#seal(handle, work),
    );
  }

  decrypt(tenant: string, work: Work): Eventually<Outcome> {
    let blob;
    try {
      blob = parseBlob(work.bytes);
    } catch {
      blob = null;
    }
    return this.#run(
      tenant,
      'decrypt',
      () => {
        // Not a record at all: still find out first whether the caller may know of this tenant.
        if (blob === null) return this.keeper.knowing(tenant, this.service);
        return this.keeper.opening(tenant, this.service, blob.key, blob.version);
      },
      (handle) => {
        if (blob === null) throw new DecryptionFailed();
        const bytes = handle.open(blob, work.context);
        this.usage.ok(tenant, handle, 'decrypt', bytes.length);
        return { bytes, keyVersion: handle.version, grantId: handle.grantId };
      },
    );
  }

  #seal(handle: L3Handle, work: Work): Done {
    const bytes = handle.seal(work.bytes, work.context);
    this.usage.ok(handle.tenant, handle, 'encrypt', work.bytes.length);
    return { bytes, keyVersion: handle.version, grantId: handle.grantId };
  }

  #run(
    tenant: string,
    operation: Operation,
    find: () => Eventually<L3Handle>,
    act: (handle: L3Handle) => Done,
  ): Eventually<Outcome> {
    let handle: L3Handle | null = null;
    const refused = (error: unknown): KcmError => {
      const known = error instanceof KcmError ? error : internal(error);
      this.usage.refused(tenant, handle, operation, known.code);
      return known;
    };
    try {
      const found = find();
      if (!(found instanceof Promise)) return act((handle = found));
      return inTime(found)
        .then((late) => act((handle = late)))
        .catch(refused);
    } catch (error) {
      return refused(error);
    }
  }
}

const internal = (cause: unknown): KcmError =>
  new KcmError('internal', 'The Edge failed.', { cause });

/** A caller waits so long for Core; the lease that comes later serves the next one. */
async function inTime<T>(promise: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(leaseOver()), LIMITS.edgeLeaseWaitMsMax);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}
