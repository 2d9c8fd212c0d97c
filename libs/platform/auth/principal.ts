/** Roles of interfaces: none implies another. */
export const ROLES = [
  'platform-operator',
  'platform-auditor',
  'tenant-admin',
  'key-admin',
  'approver',
  'auditor',
] as const;
export type Role = (typeof ROLES)[number];

export const isPlatformRole = (role: Role): boolean => role.startsWith('platform-');

export interface Principal {
  /** null: of the platform. */
  readonly tenant: string | null;
  /** As the issuer names it; events hold `actor` instead. */
  readonly subject: string;
  /** Opaque id. */
  readonly actor: string;
  readonly roles: ReadonlySet<Role>;
  /** When the token ends (Unix epoch), for what goes on after its check; null: it does not. */
  readonly expiresAtMs: number | null;
}

/**
 * Who a bearer token speaks for; null when nobody. Never throws for a bad token.
 */
export interface Authenticator {
  authenticate(bearer: string): Promise<Principal | null>;
}
export const Authenticator = Symbol('Authenticator');

/** Whether the region can work. */
export interface SealStatus {
  sealed(): boolean;
}
export const SealStatus = Symbol('SealStatus');
