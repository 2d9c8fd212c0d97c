import { type KeyEvent, type KeyState, type VersionState, versionOf } from '@kcm/domain';
import { keyVersionUid } from '@kcm/kernel';
import { State } from '@kcm/kmip';
import { KMIP_STATES } from './leased-attributes.js';

/** A version of a key stands otherwise than before; `service` null: an L2 and all under it. */
export interface VersionChange {
  readonly kind: 'version';
  readonly service: string | null;
  readonly uid: string;
  readonly state: State;
  /** Archived it opens nothing, whatever its state. */
  readonly archived: boolean;
}
/** A new version of a service key took over. */
export interface Takeover {
  readonly kind: 'takeover';
  readonly service: string;
  readonly replaced: string;
  /** Of what is replaced. */
  readonly state: State;
  readonly replacement: string;
}
export type KeyChange = VersionChange | Takeover;

/** What the holders of a tenant's keys must know of an event of one; `key` as it is after that. */
export function keyChanges(
  tenant: string,
  id: string,
  key: KeyState,
  event: KeyEvent,
): readonly KeyChange[] {
  if (key.status === 'absent') return [];
  const { service } = key;
  const at = (version: number) => keyVersionUid({ tenant, key: id, version });
  if (event.type === 'KeyRotated') {
    const { from, to } = event.data;
    if (service === null) return [];
    const state = replacedState(versionOf(key, from)?.state);
    return [{ kind: 'takeover', service, replaced: at(from), state, replacement: at(to) }];
  }
  const concerned = versionsOf(event, key.current, service === null);
  return key.versions
    .filter(({ version }) => concerned.includes(version))
    .map(({ version, state, archived = false }) => ({
      kind: 'version',
      service,
      uid: at(version),
      state: KMIP_STATES[state],
      archived,
    }));
}

/** That it is deactivated is the event after the one that replaces it. */
const replacedState = (state: VersionState = 'active'): State =>
  state === 'active' ? State.Deactivated : KMIP_STATES[state];

/** Which versions an event puts in or out of use for whoever holds them. */
function versionsOf(event: KeyEvent, current: number, isL2: boolean): readonly number[] {
  switch (event.type) {
    case 'KeyVersionDeactivated':
      // What was rotated away was told of with what took over, and an L2 goes on to open.
      return isL2 || event.data.version !== current ? [] : [event.data.version];
    case 'KeyCompromised':
      return isL2 ? [] : event.data.versions;
    case 'KeyVersionArchived':
    case 'KeyVersionRecovered':
      return [event.data.version];
    case 'KeyVersionDestroyed':
      // By a shred: the tenant's holders are told of that.
      return event.data.operation === undefined ? [] : [event.data.version];
    default:
      return [];
  }
}
