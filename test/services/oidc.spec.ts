import { appendFileSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Clock, systemClock } from '@kcm/kernel';
import { decodeJwt, exportSPKI, generateKeyPair } from 'jose';
import { type Standalone, startStandalone } from '../../apps/standalone/standalone.js';
import { TestAuthority } from '@kcm/testing/tls';
import { Api, until } from '../support/index.js';
import { OidcIssuer } from '../support/oidc-issuer.js';

const MINUTE_MS = 60_000;
type Claims = Readonly<Record<string, unknown>>;

/** The machine's clocks, and what the test puts on top of them. */
class LateClock implements Clock {
  aheadMs = 0;
  wallMs = (): number => systemClock.wallMs() + this.aheadMs;
  monotonicMs = (): number => systemClock.monotonicMs() + this.aheadMs;
  bootMs = (): number => systemClock.bootMs() + this.aheadMs;
}

describe('With OIDC issuers, over HTTP', () => {
  const clock = new LateClock();
  let folder: string;
  let platform: OidcIssuer;
  let acme: OidcIssuer;
  let shared: OidcIssuer;
  let secure: OidcIssuer;
  let product: Standalone;
  let local: string;
  let seenBefore: number[];

  const api = (token: string | null) => new Api(() => product.http, token);
  const operator = () => api(readFileSync(join(folder, 'operator-token'), 'utf8').trim());
  const start = async (env: NodeJS.ProcessEnv) =>
    (product = await startStandalone(
      {
        KCM_DATA_DIR: folder,
        KCM_HTTP_PORT: '0',
        KCM_KMIP_PORT: '0',
        KCM_LOG_LEVEL: 'fatal',
        ...env,
      },
      { clock },
    ));

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'kcm-oidc-'));
    [platform, acme, shared] = await Promise.all([
      OidcIssuer.start({ olga: { groups: ['ops', 'auditors'] } }),
      OidcIssuer.start({ anna: { realm: { roles: ['admins'] } }, nobody: {} }),
      OidcIssuer.start({ gwen: { customer: 'globex', roles: ['readers'] } }),
    ]);
    const authority = await TestAuthority.create('the authority of an issuer');
    secure = await OidcIssuer.start({}, { tls: await authority.server() });
    await start({});
    for (const id of ['acme', 'globex', 'initech'])
      await operator().command('/v1/tenants', { id, name: id });
    const asked = { tenant: 'acme', subject: 'anna', roles: ['auditor'] };
    local = (await operator().command<{ token: string }>('/v1/sys/tokens', asked)).token;
    seenBefore = await sees(local);
    await product.stop();

    const issuers = join(folder, 'issuers.json');
    const audience = 'openkcm';
    const settings = [
      {
        issuer: platform.url,
        audience,
        platform: true,
        claims: { roles: 'groups' },
        roleMap: { ops: 'platform-operator', auditors: 'platform-auditor', readers: 'auditor' },
      },
      {
        issuer: acme.url,
        audience,
        tenant: 'acme',
        claims: { roles: ['realm', 'roles'] },
        roleMap: { admins: ['tenant-admin', 'auditor'] },
      },
      {
        issuer: shared.url,
        audience,
        claims: { tenant: 'customer' },
        roleMap: { readers: 'auditor' },
        clockSkewSeconds: 60,
      },
      {
        issuer: secure.url,
        ca: authority.ca,
        audience,
        tenant: 'initech',
        roleMap: { readers: 'auditor' },
      },
    ];
    appendFileSync(issuers, JSON.stringify(settings));
    await start({ KCM_OIDC_ISSUERS: `@${issuers}` });
  });
  afterAll(async () => {
    await product?.stop();
    await Promise.all([platform, acme, shared, secure].map((issuer) => issuer?.stop()));
    rmSync(folder, { recursive: true });
  });

  /** Status of acme's resources, globex's and the platform's. */
  async function sees(token: string | null): Promise<number[]> {
    const paths = ['/v1/tenants/acme/audit', '/v1/tenants/globex/audit', '/v1/sys/projections'];
    return Promise.all(paths.map(async (path) => (await api(token).get(path)).status));
  }
  const OF_ACME = [200, 404, 403];
  const OF_GLOBEX = [404, 200, 403];
  const OF_PLATFORM = [200, 200, 200];
  const NOBODY = [401, 401, 401];

  const anna = (claims: Claims = {}, header = {}) =>
    acme.sign({ realm: { roles: ['admins'] }, ...claims }, clock.wallMs(), header);
  const gwen = (claims: Claims = {}) =>
    shared.sign({ sub: 'gwen', customer: 'globex', roles: ['readers'], ...claims }, clock.wallMs());

  const olga = (claims: Claims) => platform.sign({ sub: 'olga', ...claims }, clock.wallMs());

  it('a tenant with an issuer of its own has people of no other, whatever that one claims', async () => {
    expect(await sees(await gwen({ customer: 'acme' }))).toEqual(NOBODY);
    expect(await sees(await olga({ tenant: 'acme', groups: ['readers'] }))).toEqual(NOBODY);
    expect(await sees(await olga({ tenant: 'globex', groups: ['readers'] }))).toEqual(OF_GLOBEX);
  });

  it('each speaks for its own people: of one tenant, of the tenant in its claim, the platform', async () => {
    expect(await sees(await acme.tokenOf('anna'))).toEqual(OF_ACME);
    expect(await sees(await shared.tokenOf('gwen'))).toEqual(OF_GLOBEX);
    expect(await sees(await platform.tokenOf('olga'))).toEqual(OF_PLATFORM);
  });

  it('an issuer over HTTPS, under an authority of its own', async () => {
    const peter = api(await secure.sign({ sub: 'peter', roles: ['readers'] }, clock.wallMs()));
    expect((await peter.get('/v1/tenants/initech/audit')).status).toBe(200);
    expect((await peter.get('/v1/tenants/globex/audit')).status).toBe(404);
  });

  it('a token without a role that is mapped is known, and may nothing', async () => {
    expect(await sees(await acme.tokenOf('nobody'))).toEqual([403, 404, 403]);
  });

  it('no local token is issued or accepted any more; the operator keeps its own', async () => {
    expect([seenBefore, await sees(local)]).toEqual([OF_ACME, NOBODY]);
    const asked = { tenant: 'acme', subject: 'boris', roles: ['auditor'] };
    const refused = await operator().post('/v1/sys/tokens', asked);
    expect([refused.status, refused.code]).toEqual([409, 'wrong_state']);
    expect((await operator().get('/v1/sys/projections')).status).toBe(200);
  });

  it.each<[string, () => Promise<string>]>([
    ['another audience', () => anna({ aud: 'another' })],
    ['no audience', () => anna({ aud: undefined })],
    ['the word of another issuer', () => anna({ iss: shared.url })],
    ['an issuer that is not configured', () => anna({ iss: 'https://idp.invalid' })],
    ['no issuer', () => anna({ iss: undefined })],
    ['no end', () => anna({ exp: undefined })],
    ['no subject', () => anna({ sub: undefined })],
    ['an empty subject', () => anna({ sub: '' })],
    ['the typ of another token', () => anna({}, { typ: 'logout+jwt' })],
    ['a critical header that nobody knows', () => anna({}, { crit: ['x'], x: 1 })],
    ['a binding to a key of its holder', () => anna({ cnf: { jkt: 'x' } })],
    ['a nonce: an ID token', () => anna({ nonce: 'x' })],
    ['an unknown key id', () => anna({}, { kid: 'no-such-key' })],
    ['a tenant claim that is no id', () => gwen({ customer: 'acme/../globex' })],
    ['tenant claims in a list', () => gwen({ customer: ['globex', 'acme'] })],
    ['no tenant claim', () => gwen({ customer: undefined })],
  ])('%s: refused', async (_, token) => {
    expect(await sees(await token())).toEqual(NOBODY);
  });

  it('alg none, a shared secret and the public key as one: refused', async () => {
    const token = await anna();
    const [, payload, signature] = token.split('.');
    const header = (alg: string) =>
      Buffer.from(JSON.stringify({ alg, kid: 'key-1', typ: 'at+jwt' })).toString('base64url');
    const none = `${header('none')}.${payload}.`;
    const stripped = `${header('none')}.${payload}.${signature}`;
    const claims = decodeJwt(token);
    const hmac = await acme.sign(
      claims,
      clock.wallMs(),
      { alg: 'HS256' },
      Buffer.from(await exportSPKI(acme.publicKey)),
    );
    for (const forged of [none, stripped, hmac]) expect(await sees(forged)).toEqual(NOBODY);
    expect(await sees(token)).toEqual(OF_ACME);
  });

  it('a foreign key under a known key id: refused', async () => {
    const { privateKey } = await generateKeyPair('RS256');
    const claims = { realm: { roles: ['admins'] } };
    expect(await sees(await acme.sign(claims, clock.wallMs(), {}, privateKey))).toEqual(NOBODY);
  });

  it('one tenant’s issuer names another tenant: it still speaks for its own alone', async () => {
    const claims = { tenant: 'globex', customer: 'globex', tid: null };
    expect(await sees(await anna(claims))).toEqual(OF_ACME);
    expect(await sees(await anna({ tenant: null }))).toEqual(OF_ACME);
  });

  it('roles that nobody mapped to the token’s kind of person count for nothing', async () => {
    const smuggled = ['platform-operator', 'platform-auditor', 'tenant-admin', 'ops', '__proto__'];
    const none = [403, 404, 403];
    expect(await sees(await anna({ realm: { roles: smuggled }, roles: smuggled }))).toEqual(none);
    expect(await sees(await gwen({ roles: [...smuggled, 'constructor', 7, null] }))).toEqual([
      404, 403, 403,
    ]);
    // The platform's issuer names a tenant: no platform role goes with it.
    expect(await sees(await olga({ tenant: 'globex', groups: ['ops', 'auditors'] }))).toEqual([
      404, 403, 403,
    ]);
    expect(await sees(await olga({ groups: ['readers'] }))).toEqual([403, 403, 403]);
  });

  it('the same name at two issuers is two people', async () => {
    const elsewhere = await olga({ sub: 'anna', tenant: 'globex', groups: ['readers'] });
    for (const token of [await gwen({ sub: 'anna' }), elsewhere]) {
      await api(token).post(
        '/v1/tenants/globex/root-keys',
        {},
        { 'x-correlation-id': 'two-annas' },
      );
    }
    const auditor = api(await platform.tokenOf('olga'));
    const actors = await until('both refusals in the audit trail', 5_000, async () => {
      const items = await auditor.list<{ actor: string; correlationId: string }>(
        '/v1/tenants/globex/audit',
      );
      const theirs = items.filter((item) => item.correlationId === 'two-annas');
      return theirs.length < 2 ? null : theirs.map(({ actor }) => actor);
    });
    expect(actors.sort()).toEqual([`${platform.url}#anna`, `${shared.url}#anna`].sort());
  });

  it('times count to the second, and to the skew that the issuer is given', async () => {
    const at = (seconds: number) => Math.floor(clock.wallMs() / 1000) + seconds;
    // 30 s is the default, 60 s the most; 5 s are for a machine that is busy.
    expect(await sees(await anna({ exp: at(-25) }))).toEqual(OF_ACME);
    expect(await sees(await anna({ exp: at(-31) }))).toEqual(NOBODY);
    expect(await sees(await anna({ nbf: at(29) }))).toEqual(OF_ACME);
    expect(await sees(await anna({ nbf: at(36) }))).toEqual(NOBODY);
    expect(await sees(await anna({ iat: at(36) }))).toEqual(NOBODY);
    expect(await sees(await gwen({ exp: at(-50) }))).toEqual(OF_GLOBEX);
    expect(await sees(await gwen({ exp: at(-61) }))).toEqual(NOBODY);
  });

  it('a rotated key is found, its predecessor forgotten, and guessing asks the issuer seldom', async () => {
    const old = await anna();
    await acme.rotate();
    const fresh = await acme.tokenOf('anna');
    clock.aheadMs += MINUTE_MS;
    expect(await sees(fresh)).toEqual(OF_ACME);
    expect(await sees(old)).toEqual(NOBODY);
    const reads = acme.keyReads;
    for (let guess = 0; guess < 20; guess += 1) {
      expect((await sees(await anna({}, { kid: `guess-${guess}` })))[0]).toBe(401);
    }
    expect(acme.keyReads).toBe(reads);
  });

  it('an issuer that is down: its known keys go on to their end, /readyz says so; then nobody', async () => {
    await acme.stop();
    clock.aheadMs += MINUTE_MS;
    expect(await sees(await anna({}, { kid: 'unknown' }))).toEqual(NOBODY);
    expect(await sees(await anna())).toEqual(OF_ACME);
    const trouble = async () => {
      const { body } = await api(null).get<{ reasons: { dependency: string; detail: string }[] }>(
        '/readyz',
      );
      const ofIssuers = body.reasons.filter(({ dependency }) => dependency.startsWith('oidc'));
      return ofIssuers.map(({ detail }) => detail);
    };
    expect(await trouble()).toEqual([expect.stringContaining('known keys go on until')]);
    clock.aheadMs += 15 * MINUTE_MS;
    expect(await sees(await anna())).toEqual(NOBODY);
    expect(await trouble()).toEqual([expect.stringContaining('its tokens are refused')]);
    // The others are no worse off for it.
    expect(await sees(await gwen())).toEqual(OF_GLOBEX);
    await acme.up();
    clock.aheadMs += MINUTE_MS;
    expect(await sees(await anna())).toEqual(OF_ACME);
    expect(await trouble()).toEqual([]);
  });
});
