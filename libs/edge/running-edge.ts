import type { LeaseShown } from './leases/lease-shown.js';
import type { Clock, Random, Reason, Tracer } from '@kcm/kernel';
import type { ServerLimits } from './server/edge-server.js';
import type { Operation } from './usage.js';

/** PEM of the Edge's certificate and its private key. */
export interface EdgeCertificate {
  readonly certificate: string;
  readonly privateKey: string;
}
export interface RenewedCertificate extends EdgeCertificate {
  /** PEM; default: the authority so far. */
  readonly ca?: string;
}
export interface EdgeOptions extends EdgeCertificate {
  readonly coreHost: string;
  readonly corePort: number;
  /** PEM of the region's authority. */
  readonly ca: string;
  readonly edge: string;
  readonly region: string;
  /** One socket each. */
  readonly services: readonly string[];
  /** Folder of the sockets, e.g. `<data>/edge`; made with mode 0700 if it is not there. */
  readonly socketDir: string;
  readonly clock?: Clock;
  readonly random?: Random;
  readonly tracer?: Tracer;
  readonly log?: (entry: EdgeLogEntry) => void;
  readonly serverLimits?: Partial<ServerLimits>;
  readonly usageWindowMs?: number;
  /** Sooner than `LIMITS.subkeyInvocationsMax`; never later. */
  readonly subkeyInvocationsMax?: number;
  /** Whoever calls `heard`: shown with the health and the figures. */
  readonly hearing?: Hearing;
}
/** Another way than Core's own on which this Edge is told of revocations. */
export interface Hearing {
  readonly reasons: readonly Reason[];
  readonly connected: boolean;
  /** Messages so far. */
  readonly read: number;
  readonly unreadable: number;
}
/** What somebody tells of a tenant's access: the pair after its last change. */
export interface Heard {
  readonly tenant: string;
  readonly term: number;
  readonly epoch: number;
}
/** Holds no secret and no plaintext. */
export interface EdgeLogEntry {
  readonly level: 'info' | 'warn' | 'error';
  readonly event:
    | 'core-connected'
    | 'core-unreachable'
    | 'alarm'
    | 'revoked'
    | 'read-only'
    | 'acknowledged'
    | 'heard';
  readonly detail?: string;
  readonly tenant?: string;
}
export interface EdgeStatus {
  readonly edge: string;
  readonly region: string;
  readonly boot: string;
  readonly core: { readonly connected: boolean };
  /** False without --expose-gc: erasure is then never claimed. */
  readonly confirmsErasure: boolean;
  readonly leases: readonly LeaseShown[];
  readonly counters: Readonly<Record<Operation | 'refused' | 'alarms', number>>;
}
export interface RunningEdge {
  /** Socket path by service. */
  readonly sockets: Readonly<Record<string, string>>;
  /** Of one service, or of all. */
  status(service?: string): EdgeStatus;
  /** Goes on with a certificate that Core enrolled in place of the first; no lease is lost. */
  renew(next: RenewedCertificate): void;
  /**
   * Proves nothing: of a pair that is higher than Core's own last word, what is held of the tenant
   * is dropped and Core asked anew when somebody needs it, at most once a second.
   */
  heard(told: Heard): void;
  stop(): Promise<void>;
}
