import type { KeyObject } from 'node:crypto';
import { KcmError, TENANT_ID } from '@kcm/kernel';
import { jwtVerify, SignJWT, type JWTPayload } from 'jose';
import { ed25519PublicFromRaw, ed25519RawOf, kidOf } from './signing-keys.js';

export const TOKEN_AUDIENCE = 'openkcm';
export const issuerOf = (region: string): string => `kcm:${region}`;

/** Who a token speaks for; `tenant` is null for the platform's own people. */
export interface TokenClaims {
  readonly subject: string;
  readonly tenant: string | null;
  readonly roles: readonly string[];
  readonly jti: string;
  /** Unix seconds. */
  readonly expiresAtSeconds: number;
}
export interface TokenExpectation {
  readonly issuer: string;
  readonly audience: string;
  readonly nowMs: number;
  readonly leewaySeconds: number;
}

/** JWT (RFC 7519), EdDSA: iss `kcm:{region}`, aud `openkcm`, sub, tenant, roles, jti, iat, exp. */
export function signToken(
  privateKey: KeyObject,
  region: string,
  claims: TokenClaims,
  nowMs: number,
): Promise<string> {
  const kid = kidOf(ed25519RawOf(privateKey));
  return new SignJWT({ tenant: claims.tenant, roles: [...claims.roles] })
    .setProtectedHeader({ alg: 'EdDSA', kid, typ: 'JWT' })
    .setIssuer(issuerOf(region))
    .setAudience(TOKEN_AUDIENCE)
    .setSubject(claims.subject)
    .setJti(claims.jti)
    .setIssuedAt(Math.floor(nowMs / 1000))
    .setExpirationTime(claims.expiresAtSeconds)
    .sign(privateKey);
}

/**
 * @param issuerPublicRaw raw Ed25519 public key, 32 bytes
 * @throws KcmError unauthenticated, whatever is wrong with the token
 */
export async function verifyToken(
  jwt: string,
  issuerPublicRaw: Uint8Array,
  expected: TokenExpectation,
): Promise<TokenClaims> {
  let payload: JWTPayload;
  try {
    ({ payload } = await jwtVerify(jwt, ed25519PublicFromRaw(issuerPublicRaw), {
      algorithms: ['EdDSA'],
      typ: 'JWT',
      issuer: expected.issuer,
      audience: expected.audience,
      clockTolerance: expected.leewaySeconds,
      currentDate: new Date(expected.nowMs),
      requiredClaims: ['sub', 'jti', 'exp', 'tenant', 'roles'],
    }));
  } catch (cause) {
    throw new KcmError('unauthenticated', 'The access token is not valid.', { cause });
  }
  return claimsOf(payload);
}

function claimsOf(payload: JWTPayload): TokenClaims {
  const { sub, jti, exp } = payload;
  const tenant = payload['tenant'];
  const roles = payload['roles'];
  const bound = tenant === null || (typeof tenant === 'string' && TENANT_ID.test(tenant));
  if (
    !sub ||
    !jti ||
    exp === undefined ||
    !bound ||
    !Array.isArray(roles) ||
    !roles.every((role): role is string => typeof role === 'string')
  )
    throw new KcmError('unauthenticated', 'The access token lacks a claim.');
  return { subject: sub, tenant, roles, jti, expiresAtSeconds: exp };
}
