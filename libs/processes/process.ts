import { parseStream, type StreamId } from '@kcm/kernel';
import type {
  AccessCommand,
  AnyEvent,
  KeyCommand,
  Processing,
  ReceiptKind,
  Recorded,
  RevocationCommand,
  RootKeysCommand,
  TenantCommand,
} from '@kcm/domain';

/** A command for a decider, named by the stream's category. */
export type Step =
  | { readonly kind: 'tenant'; readonly stream: StreamId; readonly command: TenantCommand }
  | { readonly kind: 'access'; readonly stream: StreamId; readonly command: AccessCommand }
  | { readonly kind: 'rootkeys'; readonly stream: StreamId; readonly command: RootKeysCommand }
  | { readonly kind: 'key'; readonly stream: StreamId; readonly command: KeyCommand }
  | { readonly kind: 'revocation'; readonly stream: StreamId; readonly command: RevocationCommand }
  | Effect;

/** What only Core can do. Each ends by appending the event that takes it off the list. */
export type Effect =
  | { readonly kind: 'connectRootKey'; readonly tenant: string; readonly rootKeyId: string }
  | {
      readonly kind: 'probeRootKey';
      readonly tenant: string;
      readonly rootKeyId: string;
      readonly operation: string;
    }
  | { readonly kind: 'createL2'; readonly tenant: string; readonly rootKeyId: string }
  | { readonly kind: 'createL3'; readonly tenant: string; readonly service: string }
  | {
      readonly kind: 'rotateL2';
      readonly tenant: string;
      readonly key: string;
      readonly operation: string;
    }
  | {
      readonly kind: 'rotateL3';
      readonly tenant: string;
      readonly key: string;
      readonly operation: string;
    }
  /** Wraps one version of an L3 anew, under the current version of the L2. */
  | {
      readonly kind: 'rewrapL3';
      readonly tenant: string;
      readonly key: string;
      readonly version: number;
    }
  /** Answers a requested destruction: nothing hangs from the version any more, or it is refused. */
  | {
      readonly kind: 'destroyVersion';
      readonly tenant: string;
      readonly key: string;
      readonly version: number;
      readonly operation: string;
      readonly acceptUnreported: boolean;
    }
  /** Erases the material of a version that is destroyed. */
  | {
      readonly kind: 'eraseVersion';
      readonly tenant: string;
      readonly key: string;
      readonly version: number;
    }
  /** Records what may have been exposed of versions of a key whose compromise somebody said. */
  | {
      readonly kind: 'recordExposures';
      readonly tenant: string;
      readonly key: string;
      readonly versions: readonly number[];
      readonly since: string;
      readonly until: string;
      readonly exposure: string;
    }
  /** Marks every version that an Edge held since then, and records what may have been exposed. */
  | {
      readonly kind: 'compromiseHeld';
      readonly edge: string;
      readonly since: string;
      readonly until: string;
      readonly processing: Processing;
      readonly operation: string;
    }
  | { readonly kind: 'closeCalls'; readonly stream: StreamId; readonly callIds: readonly string[] }
  | { readonly kind: 'shred'; readonly tenant: string; readonly revocation: string }
  | {
      readonly kind: 'issueReceipt';
      readonly tenant: string;
      readonly revocation: string;
      readonly receipt: ReceiptKind;
    };

/**
 * A process manager as a to-do list folded from the ledger: an item stands until an event says it is
 * done, so a restart at any step only repeats idempotent work. Item ids are stable: the command id is
 * UUIDv5 over [process, subject, item id, id of the event that put the item on the list].
 */
export interface Todo {
  readonly id: string;
  /** Not before this time (RFC 3339). */
  readonly dueAt?: string;
  readonly step: Step;
}
export interface Process<S = unknown> {
  readonly name: string;
  readonly version: number;
  readonly handles: readonly AnyEvent['type'][];
  /** So many items that are found late are begun a second, at most; absent: all at once. */
  readonly latePerSecondMax?: number;
  /** From the event alone, each once; none: not this process's concern. */
  subjects(event: Recorded): readonly string[];
  /** States are JSON: they are stored like documents. */
  initial(subject: string): S;
  evolve(state: S, event: Recorded): S;
  todo(state: S): readonly Todo[];
}

/** The subject of a process that follows each tenant, or region, by the streams that it owns. */
export const ownerOf = (event: Recorded): readonly [string] => [parseStream(event.stream).owner];
