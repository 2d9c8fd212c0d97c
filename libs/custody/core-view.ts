import type {
  AccessState,
  EdgeState,
  KeyEvent,
  KeyState,
  RegionState,
  RevocationState,
  RootKeysState,
  TenantState,
} from '@kcm/domain';
import type { Position } from '@kcm/kernel';

/** Live states of the streams Core decides by, folded from the feed in memory. */
export interface CoreView {
  region(): RegionState;
  tenant(tenant: string): TenantState;
  access(tenant: string): AccessState;
  rootKeys(tenant: string): RootKeysState;
  /** By key id. */
  keys(tenant: string): ReadonlyMap<string, KeyState>;
  revocations(tenant: string): ReadonlyMap<string, RevocationState>;
  edge(edge: string): EdgeState;
  tenants(): Iterable<string>;
  /** Resolves once the view has folded everything up to and including this position. */
  reached(position: Position): Promise<void>;
  /**
   * Called after each fold of one tenant's access stream, with the trace that its event is part of.
   * Returns how to stop.
   */
  onAccess(
    listener: (tenant: string, state: AccessState, traceparent?: string) => void,
  ): () => void;
  /** Called after each fold of an event of a key, with the trace that it is part of, as above. */
  onKey(
    listener: (tenant: string, key: string, event: KeyEvent, traceparent?: string) => void,
  ): () => void;
  /** Called after a tenant's policy was changed, with the trace that its event is part of. */
  onPolicy(listener: (tenant: string, traceparent?: string) => void): () => void;
  /** Called after an Edge was enrolled anew or revoked. Returns how to stop. */
  onEdge(listener: () => void): () => void;
}
