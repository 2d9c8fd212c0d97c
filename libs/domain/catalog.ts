import { UnknownEventType, type Category, type RecordedEvent } from '@kcm/kernel';
import type { EventType, Recorded } from './events.js';

export interface EventEntry {
  /** The category of stream that holds it. */
  readonly category: Category;
  /** What is written now; older ones are upcast on reading. */
  readonly schemaVersion: number;
}
const v1 = (category: Category): EventEntry => ({ category, schemaVersion: 1 });

/** Every event of the product. A name is frozen once merged. */
export const EVENTS: { readonly [T in EventType]: EventEntry } = {
  TenantRegistered: v1('tenant'),
  TenantActivated: v1('tenant'),
  TenantBlocked: v1('tenant'),
  TenantUnblocked: v1('tenant'),
  TenantPolicyChanged: v1('tenant'),
  ServiceMapped: v1('tenant'),
  ServiceUnmapped: v1('tenant'),
  LockTaken: v1('access'),
  LockReleased: v1('access'),
  TermRaised: v1('access'),
  RootKeyConnectionRequested: v1('rootkeys'),
  RootKeyConnected: v1('rootkeys'),
  RootKeyConnectionRefused: v1('rootkeys'),
  RootKeyProbeRequested: v1('rootkeys'),
  RootKeyProbed: v1('rootkeys'),
  RootKeyDenied: v1('rootkeys'),
  RootKeyIndeterminate: v1('rootkeys'),
  RootKeyRestored: v1('rootkeys'),
  RootKeyVersionObserved: v1('rootkeys'),
  RootKeyClaimed: v1('claim'),
  KeyCreated: v1('key'),
  KeyVersionWrapped: v1('key'),
  KeyVersionRewrapped: v1('key'),
  KeyRotationRequested: v1('key'),
  KeyRotated: v1('key'),
  KeyVersionPrepared: v1('key'),
  KeyVersionActivated: v1('key'),
  KeyRotationRefused: v1('key'),
  KeyVersionDeactivated: v1('key'),
  KeyCompromised: v1('key'),
  KeyExposureRecorded: v1('key'),
  KeyVersionArchived: v1('key'),
  KeyVersionRecovered: v1('key'),
  KeyDestructionRequested: v1('key'),
  KeyDestructionRefused: v1('key'),
  KeyVersionDestroyed: v1('key'),
  KeyVersionErased: v1('key'),
  KeyRewrappingChanged: v1('key'),
  KeyRevoked: v1('key'),
  RevocationLocked: v1('revocation'),
  RevocationAcknowledged: v1('revocation'),
  RevocationReleased: v1('revocation'),
  RevocationShredRequested: v1('revocation'),
  MaterialShredded: v1('revocation'),
  RevocationShredded: v1('revocation'),
  ReceiptIssued: v1('revocation'),
  EdgeEnrolled: v1('edge'),
  EdgeRevoked: v1('edge'),
  EdgeCompromised: v1('edge'),
  EdgeExposureRecorded: v1('edge'),
  RegionInitialized: v1('region'),
  RegionUnsealed: v1('region'),
  RegionSealed: v1('region'),
  RegionRekeyed: v1('region'),
  RegionKeyringRotated: v1('region'),
  TokenIssued: v1('region'),
  CertificateIssued: v1('region'),
  ProcessStarted: v1('calls'),
  KeystoreCallIntended: v1('calls'),
  KeystoreCallSucceeded: v1('calls'),
  KeystoreCallRefused: v1('calls'),
  KeystoreCallFailed: v1('calls'),
  KeystoreCallOutcomeUnknown: v1('calls'),
  LeasesGranted: v1('calls'),
  LeasesRenewed: v1('calls'),
  LeaseRefused: v1('calls'),
  UsageReported: v1('calls'),
  CommandRefused: v1('refused'),
};
export const EVENT_TYPES = Object.keys(EVENTS) as readonly EventType[];

const isEventType = (type: string): type is EventType => Object.hasOwn(EVENTS, type);

/** Narrows a stored event by its name; its data is what the writer of that name wrote. */
const isKnown = (event: RecordedEvent): event is Recorded => isEventType(event.type);

/** The ledger port's EventCatalog: nothing but version 1 exists, so nothing is changed. */
export const eventCatalog = {
  /** @throws UnknownEventType for a name or schema version that this release cannot read */
  upcast(stored: RecordedEvent): RecordedEvent {
    if (!isKnown(stored) || stored.schemaVersion !== EVENTS[stored.type].schemaVersion)
      throw new UnknownEventType(stored.type, stored.schemaVersion);
    return stored;
  },
};
