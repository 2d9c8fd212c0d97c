import { isCertificate } from '@kcm/crypto';
import { LIMITS, TENANT_ID } from '@kcm/kernel';
import ipaddr from 'ipaddr.js';
import { z } from 'zod';
import { isPlatformRole, ROLES } from '../auth/principal.js';

/** Signatures by a public key alone: neither `none` nor a shared secret (RFC 8725 §3.1, §3.2). */
export const ALGORITHMS = [
  'RS256',
  'RS384',
  'RS512',
  'PS256',
  'PS384',
  'PS512',
  'ES256',
  'ES384',
  'ES512',
  'EdDSA',
  'Ed25519',
] as const;

function isLoopback({ hostname }: URL): boolean {
  const host = hostname.replace(/^\[(.*)\]$/, '$1');
  if (!ipaddr.isValid(host)) return host === 'localhost';
  return ipaddr.parse(host).range() === 'loopback';
}

/** Whether keys may be read from there: HTTPS, or HTTP that does not leave the machine. */
export function isSafeSource(text: string): boolean {
  if (!URL.canParse(text)) return false;
  const url = new URL(text);
  if (url.username !== '' || url.password !== '') return false;
  return url.protocol === 'https:' || (url.protocol === 'http:' && isLoopback(url));
}

/** Compared as it is written: OpenID Connect Discovery 1.0 §4.3. */
const issuer = z
  .string()
  .refine(isSafeSource, 'must be an https URL (plain http on loopback only)')
  .refine((text) => !/[?#\s]/.test(text), 'must have neither query nor fragment');
/** A claim's name, or the names on the way to it where it lies inside an object. */
const claim = z
  .union([z.string().min(1), z.array(z.string().min(1)).min(1).max(8)], 'is no claim')
  .transform((path) => [path].flat());
const role = z.enum(ROLES, 'is not a role of this product');

/** One entry of KCM_OIDC_ISSUERS. */
export const issuerSettings = z
  .strictObject({
    issuer,
    /** PEM of the authority of its server's certificate, in the place of the usual ones. */
    ca: z.string().refine(isCertificate, 'is no certificate in PEM').optional(),
    audience: z.string().min(1),
    /** The only tenant it speaks for; without it the tenant claim decides. */
    tenant: z.string().regex(TENANT_ID, 'is not a tenant id').optional(),
    /** Its tokens without a tenant claim are the platform's own people. */
    platform: z.boolean().default(false),
    claims: z
      .strictObject({
        subject: claim.default(['sub']),
        tenant: claim.default(['tenant']),
        roles: claim.default(['roles']),
      })
      .prefault({}),
    /** The issuer's role → ours. What is not listed here counts for nothing. */
    roleMap: z
      .record(
        z.string().min(1),
        z.union([role, z.array(role).min(1)]).transform((roles) => [roles].flat()),
      )
      .transform((map) => new Map(Object.entries(map))),
    algorithms: z
      .array(z.enum(ALGORITHMS))
      .min(1)
      .default([...ALGORITHMS]),
    clockSkewSeconds: z
      .number()
      .int()
      .min(0)
      .max(LIMITS.oidcClockSkewSecondsMax)
      .default(LIMITS.oidcClockSkewSecondsDefault),
  })
  .superRefine(({ issuer, ca, tenant, platform, roleMap }, context) => {
    const wrong = (path: string[], message: string) =>
      context.addIssue({ code: 'custom', path, message });
    if (ca !== undefined && !issuer.startsWith('https:')) {
      wrong(['ca'], 'is for an https issuer');
    }
    if (tenant !== undefined && platform) {
      wrong(['platform'], 'an issuer with a tenant speaks for that tenant only');
    }
    for (const [name, roles] of roleMap) {
      if (!platform && roles.some(isPlatformRole)) {
        wrong(['roleMap', name], 'a platform role needs "platform": true');
      }
    }
  });

/** One issuer, however its URL is written: case of the host, default port, slashes at its end. */
export const issuerKey = (issuer: string): string =>
  (URL.canParse(issuer) ? new URL(issuer).href : issuer).replace(/\/+$/, '');

export type OidcIssuer = z.infer<typeof issuerSettings>;
