import type { Brand, LedgerId, Position, RecordedEvent } from '@kcm/kernel';

export type DocKey = Brand<string, 'DocKey'>;

/** A pure fold: keys come from the event alone; one document, one guarded write. */
export interface Projection<Doc, E extends RecordedEvent = RecordedEvent> {
  readonly name: string;
  /** Any change of keys, evolve or initial raises it. */
  readonly version: number;
  /** In the catalog but absent here: skipped. */
  readonly handles: readonly E['type'][];
  keys(event: E): readonly DocKey[];
  initial(key: DocKey): Doc;
  /** null = delete, stored as a tombstone. */
  evolve(doc: Doc, event: E, key: DocKey): Doc | null;
  /** Top-level fields of the document that queries filter or order by. */
  readonly indexes: readonly { readonly fields: readonly string[]; readonly unique?: boolean }[];
}
export interface Stored<Doc> {
  readonly key: DocKey;
  readonly doc: Doc | null;
  readonly at: Position;
}
export interface Checkpoint {
  readonly ledger: LedgerId;
  readonly position: Position;
}
export interface ReadModelWriter {
  checkpoint(name: string, version: number): Promise<Checkpoint | null>;
  load<D>(
    name: string,
    version: number,
    keys: readonly DocKey[],
  ): Promise<ReadonlyMap<DocKey, Stored<D>>>;
  /**
   * Each doc only if stored.at < doc.at, then the checkpoint (which never moves back). SQLite: one
   * transaction. @throws CheckpointOfAnotherLedger
   */
  commit<D>(
    name: string,
    version: number,
    docs: readonly Stored<D>[],
    next: Checkpoint,
    indexes: Projection<D>['indexes'],
  ): Promise<void>;
  /** Points readers at this version; older versions are dropped. */
  activate(name: string, version: number): Promise<void>;
  /** Forgets documents and checkpoint of one version (before a rebuild). */
  reset(name: string, version: number): Promise<void>;
  /**
   * Puts what was built under another name, in the same version, in the place of this collection:
   * readers see the old one until they see the new one. The other name is forgotten.
   */
  replace(name: string, version: number, built: string): Promise<void>;
}
export interface ReadToken {
  readonly ledger: LedgerId;
  readonly position: Position;
}
export interface Page<D> {
  readonly items: readonly { readonly key: DocKey; readonly doc: D }[];
  readonly next: string | null;
}
export interface ListQuery {
  /** Equality on top-level fields named in `indexes`. */
  readonly where: { readonly [field: string]: string | number | boolean };
  /**
   * Inclusive lower and exclusive upper bound on one indexed field. Orders the list by that field,
   * then by key; both bounds left out: the order alone.
   */
  readonly range?: { readonly field: string; readonly from?: string; readonly to?: string };
  readonly order?: 'asc' | 'desc';
  readonly limit: number;
  /** A cursor from the last page; opaque. @throws KcmError invalid_request on any other text */
  readonly cursor?: string;
}
export interface ReadModelReader {
  /** @throws ReadModelBehind while no version has been activated yet */
  get<D>(name: string, key: DocKey): Promise<{ readonly doc: D; readonly asOf: Checkpoint } | null>;
  /**
   * Ordered by document key, or by the range's field (documents without it are left out).
   * @throws ReadModelBehind as `get` · RangeError for a field that is in no index
   */
  list<D>(name: string, query: ListQuery): Promise<Page<D>>;
  /** @throws ReadModelBehind after waitMs · TokenOfAnotherLedger */
  waitFor(name: string, token: ReadToken, waitMs: number): Promise<Checkpoint>;
  /** SHA-256 (hex) over JCS of all live documents in key order, with version and position. */
  digest(name: string): Promise<{
    readonly version: number;
    readonly position: Position | null;
    readonly documents: number;
    readonly digest: string;
  } | null>;
}
/** To be told of a change instead of asking again and again. */
export interface ReadModelWatcher {
  /**
   * Calls `changed` after each change of what this name holds: with the keys that were written, or
   * null where anything may have changed. The answer ends it. `changed` must not throw.
   */
  watch(name: string, changed: (keys: readonly DocKey[] | null) => void): () => void;
}
export const ReadModelWriter = Symbol('ReadModelWriter');
export const ReadModelReader = Symbol('ReadModelReader');
export const ReadModelWatcher = Symbol('ReadModelWatcher');
