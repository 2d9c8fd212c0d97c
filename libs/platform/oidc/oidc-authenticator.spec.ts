import { randomBytes } from 'node:crypto';
import { systemClock, systemScheduler } from '@kcm/kernel';
import {
  type CryptoKey,
  exportJWK,
  generateKeyPair,
  type JWTHeaderParameters,
  SignJWT,
} from 'jose';
import pino from 'pino';
import type { Principal } from '../auth/principal.js';
import { issuerSettings } from './issuer-settings.js';
import { OidcAuthenticator } from './oidc-authenticator.js';

const issuer = 'https://idp.example';

describe('A person of an OIDC issuer', () => {
  let sign: (claims: object) => Promise<string>;
  let keys: { keys: object[] };
  beforeAll(async () => {
    const { privateKey, publicKey } = await generateKeyPair('ES256');
    keys = { keys: [{ ...(await exportJWK(publicKey)), kid: 'a' }] };
    const now = Math.floor(systemClock.wallMs() / 1000);
    const usual = { iss: issuer, aud: 'openkcm', sub: 'anna', exp: now + 60 };
    sign = (claims) =>
      new SignJWT({ ...usual, ...claims })
        .setProtectedHeader({ alg: 'ES256', kid: 'a' })
        .sign(privateKey);
  });
  const authenticate = async (settings: object, claims: object): Promise<Principal | null> => {
    const roleMap = { ops: ['platform-operator', 'auditor'], all: ['tenant-admin'] };
    const parsed = issuerSettings.parse({ issuer, audience: 'openkcm', roleMap, ...settings });
    const authenticator = new OidcAuthenticator([parsed], {
      subjects: { opaque: (tenant, subject) => Promise.resolve(`${tenant} ${subject}`) },
      clock: systemClock,
      scheduler: systemScheduler,
      logger: pino({ enabled: false }),
      read: () => Promise.resolve(keys as never),
    });
    return authenticator.authenticate(await sign(claims));
  };
  const platform = { platform: true };

  it('of a tenant holds no platform role, of the platform none of a tenant', async () => {
    const roles = ['ops', 'all', 'constructor'];
    const ofTenant = await authenticate(platform, { roles, tenant: 'acme' });
    expect([...ofTenant!.roles]).toEqual(['auditor', 'tenant-admin']);
    expect(ofTenant).toMatchObject({ tenant: 'acme', actor: `acme ${issuer}#anna` });
    const ofPlatform = await authenticate(platform, { roles });
    expect([...ofPlatform!.roles]).toEqual(['platform-operator']);
    expect(ofPlatform!.tenant).toBeNull();
  });

  it('is believed under the algorithms that are listed, and no other', async () => {
    const claims = { tenant: 'acme' };
    expect(await authenticate({ ...platform, algorithms: ['ES256'] }, claims)).not.toBeNull();
    expect(await authenticate({ ...platform, algorithms: ['ES384', 'RS256'] }, claims)).toBeNull();
  });

  it('has the roles that stand where the settings say, as a list or between blanks', async () => {
    const claims = { roles: ['realm', 'names'] };
    for (const names of [['all'], 'openid all']) {
      const found = await authenticate({ ...platform, claims }, { realm: { names }, tenant: 't' });
      expect([...found!.roles]).toEqual(['tenant-admin']);
    }
    const none = await authenticate({ ...platform, claims }, { realm: ['all'], tenant: 't' });
    expect(none!.roles.size).toBe(0);
  });

  it('refused again and again is a line of the log once in a while, which says how often', async () => {
    const lines: object[] = [];
    let now = 0;
    const authenticator = new OidcAuthenticator(
      [issuerSettings.parse({ issuer, audience: 'openkcm', roleMap: {} })],
      {
        subjects: { opaque: (_, subject) => Promise.resolve(subject) },
        clock: { ...systemClock, wallMs: () => systemClock.wallMs(), monotonicMs: () => now },
        scheduler: systemScheduler,
        logger: pino({}, { write: (line: string) => void lines.push(JSON.parse(line) as object) }),
        read: () => Promise.resolve(keys as never),
      },
    );
    const [other, old] = [await sign({ aud: 'other' }), await sign({ exp: 1 })];
    for (let n = 0; n < 5; n += 1) expect(await authenticator.authenticate(other)).toBeNull();
    await authenticator.authenticate(old);
    now = 10_000;
    await authenticator.authenticate(other);
    const aud = 'ERR_JWT_CLAIM_VALIDATION_FAILED: aud';
    expect(lines).toMatchObject([
      { reason: aud },
      { reason: 'ERR_JWT_EXPIRED: exp' },
      { reason: aud, untold: 4 },
    ]);
  });

  describe('whose issuer publishes more than it should', () => {
    const claims = { tenant: 'acme', iss: issuer, aud: 'openkcm', sub: 'anna' };
    const signed = (header: JWTHeaderParameters, key: CryptoKey | Uint8Array) =>
      new SignJWT(claims).setProtectedHeader(header).setExpirationTime('1m').sign(key);
    const believed = async (published: readonly object[], token: string): Promise<boolean> => {
      const authenticator = new OidcAuthenticator(
        [issuerSettings.parse({ issuer, audience: 'openkcm', roleMap: {} })],
        {
          subjects: { opaque: (_, subject) => Promise.resolve(subject) },
          clock: systemClock,
          scheduler: systemScheduler,
          logger: pino({ enabled: false }),
          read: () => Promise.resolve({ keys: published } as never),
        },
      );
      return (await authenticator.authenticate(token)) !== null;
    };

    it('is not believed by a shared secret, though the issuer names it', async () => {
      const secret = randomBytes(32);
      const shared = { kty: 'oct', kid: 's', k: secret.toString('base64url') };
      for (const more of [{}, { alg: 'HS256' }, { alg: 'RS256' }])
        expect(
          await believed(
            [{ ...shared, ...more }],
            await signed({ alg: 'HS256', kid: 's' }, secret),
          ),
        ).toBe(false);
    });

    it('is believed without a key id where one key fits, and not where several may', async () => {
      const [one, other] = await Promise.all([generateKeyPair('ES256'), generateKeyPair('ES256')]);
      const [first, second] = await Promise.all([
        exportJWK(one.publicKey),
        exportJWK(other.publicKey),
      ]);
      const token = await signed({ alg: 'ES256' }, one.privateKey);
      expect(await believed([first], token)).toBe(true);
      expect(await believed([{ ...first, kid: 'a' }], token)).toBe(true);
      expect(await believed([first, second], token)).toBe(false);
      expect(await believed([second], token)).toBe(false);
    });

    it('is not believed by a key for another use, of another algorithm or that is none', async () => {
      const { privateKey, publicKey } = await generateKeyPair('ES256', { extractable: true });
      const jwk = await exportJWK(publicKey);
      const token = await signed({ alg: 'ES256', kid: 'a' }, privateKey);
      expect(await believed([{ ...jwk, kid: 'a' }], token)).toBe(true);
      for (const wrong of [
        { ...jwk, use: 'enc' },
        { ...jwk, alg: 'ES384' },
        { ...jwk, crv: 'P-384' },
        { ...jwk, x: 'AAAA' },
        { kty: 'EC' },
        { kty: 'nothing' },
        await exportJWK(privateKey),
      ])
        expect(await believed([{ ...wrong, kid: 'a' }], token)).toBe(false);
    });
  });
});
