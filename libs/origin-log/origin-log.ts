import type { EventId, LedgerId, Position } from '@kcm/kernel';

/** 2^level leaves from index · 2^level on. */
export interface LogNode {
  readonly level: number;
  readonly index: number;
}
export interface HashedNode extends LogNode {
  /** 32 bytes. */
  readonly hash: Uint8Array;
}
/** Which event stands at a leaf. */
export interface LogEntry {
  /** Index of its leaf. */
  readonly seq: number;
  readonly event: EventId;
  /** Whose event it is; null: the region's own. */
  readonly tenant: string | null;
}
/** How far a log is built, and from what. */
export interface LogState {
  readonly region: string;
  readonly ledger: LedgerId;
  /** Everything up to here is in it. */
  readonly position: Position;
  /** Leaves. */
  readonly size: number;
}
/** What one step adds: entries from `before.size` on, and the nodes that they complete. */
export interface LogStep {
  readonly entries: readonly LogEntry[];
  readonly nodes: readonly HashedNode[];
  readonly state: LogState;
}

/**
 * Where the log of one region is kept, beside the ledger that it is built from: it can be deleted
 * and is built again.
 */
export interface LogStore {
  /** null: nothing was built yet. */
  state(): Promise<LogState | null>;
  /**
   * All of the step or nothing, durable when it resolves.
   * @throws KcmError revision_conflict unless the log stands at `before`, and for a place that is
   * taken · the engine's errors
   */
  append(before: LogState | null, step: LogStep): Promise<void>;
  /** In the order asked for. @throws KcmError integrity when one is not there */
  hashes(nodes: readonly LogNode[]): Promise<readonly Buffer[]>;
  find(event: EventId): Promise<LogEntry | null>;
  close(): Promise<void>;
}
export const LogStore = Symbol('LogStore');
