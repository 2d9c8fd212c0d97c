import type { AccessEvent } from './access/access.events.js';
import type { CallsEvent, RefusedEvent } from './calls/calls.events.js';
import type { ClaimEvent } from './claim/claim.events.js';
import type { EdgeEvent } from './edge/edge.events.js';
import type { KeyEvent } from './key/key.events.js';
import type { RegionEvent } from './region/region.events.js';
import type { RevocationEvent } from './revocation/revocation.events.js';
import type { RootKeysEvent } from './rootkeys/rootkeys.events.js';
import type { TenantEvent } from './tenant/tenant.events.js';
import type { RecordedEvent } from '@kcm/kernel';

export type AnyEvent =
  | TenantEvent
  | AccessEvent
  | RootKeysEvent
  | ClaimEvent
  | KeyEvent
  | RevocationEvent
  | EdgeEvent
  | RegionEvent
  | CallsEvent
  | RefusedEvent;
export type EventType = AnyEvent['type'];

/** A stored event whose name narrows what it says. */
export type Recorded<E extends AnyEvent = AnyEvent> = E extends AnyEvent
  ? RecordedEvent<E['type'], E['data']>
  : never;
