import { TENANT_ID } from '@kcm/kernel';
import type { JWTPayload } from 'jose';
import { isPlatformRole, type Role } from '../auth/principal.js';
import type { OidcIssuer } from './issuer-settings.js';

/** Why a token that its issuer signed is refused all the same. Holds nothing of the token. */
export class ClaimRefused extends Error {
  constructor(reason: string) {
    super(reason);
    this.name = 'ClaimRefused';
  }
}
export interface Speaker {
  /** null: of the platform. */
  readonly tenant: string | null;
  /** `{issuer}#{sub}`: a subject is unique at its issuer only (OpenID Connect Core 1.0 §5.7). */
  readonly subject: string;
  readonly roles: ReadonlySet<Role>;
}

/** Claims of what is no bearer token: one bound to a key (RFC 7800), an event, an ID token. */
const NOT_A_BEARER_TOKEN = ['cnf', 'events', 'nonce'];
const SUBJECT = /^\P{Cc}{1,255}$/u;

/** Whom a verified payload speaks for. @throws ClaimRefused */
export function speakerOf(payload: JWTPayload, settings: OidcIssuer): Speaker {
  const other = NOT_A_BEARER_TOKEN.find((name) => Object.hasOwn(payload, name));
  if (other !== undefined) throw new ClaimRefused(`it is no bearer token: it has ${other}`);
  const subject = claimAt(payload, settings.claims.subject);
  if (typeof subject !== 'string' || !SUBJECT.test(subject)) {
    throw new ClaimRefused('the subject claim is missing or is no name');
  }
  const tenant = settings.tenant ?? tenantOf(payload, settings);
  // Whatever the map says: a tenant's people hold no platform role, nor the other way round.
  const roles = namesIn(claimAt(payload, settings.claims.roles))
    .flatMap((name) => settings.roleMap.get(name) ?? [])
    .filter((role) => isPlatformRole(role) === (tenant === null));
  return { tenant, subject: `${settings.issuer}#${subject}`, roles: new Set(roles) };
}

function tenantOf(payload: JWTPayload, { claims, platform }: OidcIssuer): string | null {
  const tenant = claimAt(payload, claims.tenant) ?? null;
  if (tenant === null && platform) return null;
  if (typeof tenant !== 'string' || !TENANT_ID.test(tenant)) {
    throw new ClaimRefused('the tenant claim is missing or is no tenant id');
  }
  return tenant;
}

function claimAt(payload: JWTPayload, path: readonly string[]): unknown {
  let value: unknown = payload;
  for (const name of path) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, name))
      return undefined;
    value = (value as Readonly<Record<string, unknown>>)[name];
  }
  return value;
}

/** A list of names, or one string of them between blanks, as `scope` is (RFC 6749 §3.3). */
function namesIn(claim: unknown): readonly string[] {
  if (typeof claim === 'string') return claim.split(' ');
  if (!Array.isArray(claim)) return [];
  return claim.filter((name): name is string => typeof name === 'string');
}
