import type { Subjects } from '@kcm/application';
import { type Clock, type Reason, type Scheduler, Seldom } from '@kcm/kernel';
import { decodeJwt, errors, type JWTHeaderParameters, type JWTPayload, jwtVerify } from 'jose';
import type { Logger } from 'pino';
import type { Authenticator, Principal } from '../auth/principal.js';
import { IssuerKeys } from './issuer-keys.js';
import type { OidcIssuer } from './issuer-settings.js';
import { IssuerUnusable, readIssuer, type ReadIssuer } from './read-issuer.js';
import { ClaimRefused, speakerOf } from './speaker.js';

export interface OidcDeps {
  readonly subjects: Pick<Subjects, 'opaque'>;
  readonly clock: Clock;
  readonly scheduler: Scheduler;
  readonly logger: Logger;
  readonly read?: ReadIssuer;
}
interface Known {
  readonly settings: OidcIssuer;
  readonly keys: IssuerKeys;
}
/** Access tokens (RFC 9068 §2.1) and JWTs that do not say what they are for. */
const TYPES: readonly (string | undefined)[] = ['at+jwt', 'jwt', undefined];

const REFUSED_AGAIN_MS = 10_000;

/** People of the configured OIDC issuers: JWTs that their published keys verify. */
export class OidcAuthenticator implements Authenticator {
  readonly #issuers: ReadonlyMap<string, Known>;
  /** Tenants with issuers of their own: nobody else names their people. */
  readonly #ownIssuers: ReadonlySet<string | undefined>;
  /** Refusals, by issuer and reason. */
  readonly #told: Seldom;

  constructor(
    issuers: readonly OidcIssuer[],
    private readonly deps: OidcDeps,
  ) {
    const { read = readIssuer, clock, scheduler, logger } = deps;
    this.#told = new Seldom(clock, REFUSED_AGAIN_MS);
    const onFailed = (issuer: string, reason: string) =>
      logger.warn({ issuer, reason }, 'an OIDC issuer cannot be read');
    const keysDeps = { read, clock, scheduler, onFailed };
    this.#issuers = new Map(
      issuers.map((settings) => {
        const keys = new IssuerKeys(settings, keysDeps);
        return [settings.issuer, { settings, keys }];
      }),
    );
    this.#ownIssuers = new Set(issuers.map(({ tenant }) => tenant));
  }

  /** Reads the issuers' keys now and from time to time; does not wait for them. */
  start(): void {
    for (const { keys } of this.#issuers.values()) keys.start();
  }

  stop(): void {
    for (const { keys } of this.#issuers.values()) keys.stop();
  }

  /** /readyz is public: an issuer is named by its place in the setting; the log has its URL. */
  health(): readonly Reason[] {
    return [...this.#issuers.values()].flatMap(({ keys }, index) => {
      const trouble = keys.trouble();
      if (trouble === null) return [];
      const dependency = `oidc-issuer-${index + 1}`;
      const next = 'look at the issuer and the network to it; the log has its address and why';
      return [{ dependency, level: 'degraded', code: 'issuer_unread', detail: trouble, next }];
    });
  }

  async authenticate(bearer: string): Promise<Principal | null> {
    const issuer = issuerIn(bearer);
    const known = issuer === undefined ? undefined : this.#issuers.get(issuer);
    if (known === undefined) return null;
    const speaker = await this.#speaker(bearer, known).catch((error: unknown) => {
      this.#tellRefused(known.settings.issuer, reasonOf(error));
      return null;
    });
    if (speaker === null) return null;
    return { ...speaker, actor: await this.deps.subjects.opaque(speaker.tenant, speaker.subject) };
  }

  /** Whoever sends one after the other has a line of the log once in a while. */
  #tellRefused(issuer: string, reason: string): void {
    const untold = this.#told.tell(`${issuer} ${reason}`);
    if (untold === null) return;
    const more = untold > 0 ? { untold } : {};
    this.deps.logger.info({ issuer, reason, ...more }, 'a token was refused');
  }

  async #speaker(bearer: string, { settings, keys }: Known) {
    const payload = await this.#verified(bearer, settings, keys);
    const speaker = speakerOf(payload, settings);
    const { tenant } = speaker;
    if (tenant !== null && tenant !== settings.tenant && this.#ownIssuers.has(tenant)) {
      throw new ClaimRefused('the tenant has an issuer of its own, and it is another');
    }
    return { ...speaker, expiresAtMs: payload.exp! * 1_000 };
  }

  async #verified(bearer: string, settings: OidcIssuer, keys: IssuerKeys): Promise<JWTPayload> {
    const nowMs = this.deps.clock.wallMs();
    const { payload, protectedHeader } = await jwtVerify(bearer, keys.find, {
      algorithms: settings.algorithms,
      issuer: settings.issuer,
      audience: settings.audience,
      clockTolerance: settings.clockSkewSeconds,
      currentDate: new Date(nowMs),
      requiredClaims: ['exp'],
    });
    if (!TYPES.includes(typeOf(protectedHeader))) throw new ClaimRefused('its typ is another');
    if ((payload.iat ?? 0) > nowMs / 1000 + settings.clockSkewSeconds) {
      throw new ClaimRefused('it was issued in the future');
    }
    return payload;
  }
}

/** RFC 7515 §4.1.9: `application/` may be left out, and case does not count. */
const typeOf = ({ typ }: JWTHeaderParameters): string | undefined =>
  typ?.toLowerCase().replace(/^application\//, '');

/** Not verified yet: it only says whose keys to ask. */
function issuerIn(bearer: string): string | undefined {
  try {
    return decodeJwt(bearer).iss;
  } catch {
    return undefined;
  }
}

/** For the log: nothing of the token is in it. */
function reasonOf(error: unknown): string {
  if (error instanceof ClaimRefused) return error.message;
  if (error instanceof IssuerUnusable) return `the issuer cannot be read: ${error.message}`;
  if (error instanceof errors.JWTExpired || error instanceof errors.JWTClaimValidationFailed) {
    return `${error.code}: ${error.claim}`;
  }
  if (error instanceof errors.JOSEError) return error.code;
  return 'it or its key is malformed';
}
