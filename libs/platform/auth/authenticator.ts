import type { Subjects } from '@kcm/application';
import { issuerOf, TOKEN_AUDIENCE, verifyToken } from '@kcm/crypto';
import type { RegionState } from '@kcm/domain';
import { type Clock, KcmError } from '@kcm/kernel';
import type { OperatorTokenCheck } from './operator-token.js';
import {
  type Authenticator,
  isPlatformRole,
  type Principal,
  type Role,
  ROLES,
} from './principal.js';

const OPERATOR: Principal = {
  tenant: null,
  subject: 'operator',
  actor: 'operator',
  roles: new Set(['platform-operator']),
  expiresAtMs: null,
};
const isRole = (role: string): role is Role => (ROLES as readonly string[]).includes(role);

/** The operator's token, then people: of the local issuer, or of the OIDC issuers in its place. */
export class RegionAuthenticator implements Authenticator {
  constructor(
    private readonly isOperator: OperatorTokenCheck,
    private readonly people: Authenticator,
  ) {}

  async authenticate(bearer: string): Promise<Principal | null> {
    return this.isOperator(bearer) ? OPERATOR : this.people.authenticate(bearer);
  }
}

/** People whom the region itself gave a token. */
export class LocalAuthenticator implements Authenticator {
  constructor(
    private readonly region: string,
    private readonly view: { region(): RegionState },
    private readonly subjects: Subjects,
    private readonly clock: Clock,
  ) {}

  async authenticate(bearer: string): Promise<Principal | null> {
    const state = this.view.region();
    if (state.status === 'uninitialized') return null;
    try {
      const issuer = Buffer.from(state.config.keys.issuer, 'base64url');
      const claims = await verifyToken(bearer, issuer, {
        issuer: issuerOf(this.region),
        audience: TOKEN_AUDIENCE,
        nowMs: this.clock.wallMs(),
        leewaySeconds: 0,
      });
      const { tenant, subject, expiresAtSeconds } = claims;
      const roles = claims.roles
        .filter(isRole)
        .filter((role) => isPlatformRole(role) === (tenant === null));
      const actor = await this.subjects.opaque(tenant, subject);
      const expiresAtMs = expiresAtSeconds * 1_000;
      return { tenant, subject, actor, roles: new Set(roles), expiresAtMs };
    } catch (error) {
      if (error instanceof KcmError && error.code === 'unauthenticated') return null;
      throw error;
    }
  }
}
