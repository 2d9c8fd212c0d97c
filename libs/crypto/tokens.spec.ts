import { SignJWT } from 'jose';
import { generateEd25519 } from './signing-keys.js';
import { issuerOf, signToken, TOKEN_AUDIENCE, verifyToken, type TokenClaims } from './tokens.js';

const NOW = Date.UTC(2026, 0, 1);
const { privateKey, publicRaw } = generateEd25519();
const expected = { issuer: issuerOf('eu'), audience: TOKEN_AUDIENCE, nowMs: NOW, leewaySeconds: 0 };
const claims: TokenClaims = {
  subject: 'anna',
  tenant: 'acme',
  roles: ['key-admin'],
  jti: 'j1',
  expiresAtSeconds: NOW / 1000 + 60,
};
const unauthenticated = { code: 'unauthenticated' };

describe('access tokens', () => {
  it.each([claims, { ...claims, tenant: null }])('say who speaks', async (who) => {
    const jwt = await signToken(privateKey, 'eu', who, NOW);
    await expect(verifyToken(jwt, publicRaw, expected)).resolves.toEqual(who);
  });

  it('end with their last second', async () => {
    const jwt = await signToken(privateKey, 'eu', claims, NOW);
    const at = (ms: number) => verifyToken(jwt, publicRaw, { ...expected, nowMs: NOW + ms });
    await expect(at(59_999)).resolves.toBeDefined();
    await expect(at(60_000)).rejects.toMatchObject(unauthenticated);
  });

  it.each([
    ['issuer', { issuer: issuerOf('us') }],
    ['audience', { audience: 'other' }],
  ])('are refused for another %s', async (_, other) => {
    const jwt = await signToken(privateKey, 'eu', claims, NOW);
    await expect(verifyToken(jwt, publicRaw, { ...expected, ...other })).rejects.toMatchObject(
      unauthenticated,
    );
  });

  it('are refused for another key, a changed byte and no algorithm', async () => {
    const jwt = await signToken(privateKey, 'eu', claims, NOW);
    const foreign = generateEd25519().publicRaw;
    await expect(verifyToken(jwt, foreign, expected)).rejects.toMatchObject(unauthenticated);
    const [header, body, signature] = jwt.split('.');
    const other = Buffer.from(body!, 'base64url').toString().replace('key-admin', 'approver!');
    const changed = [header, Buffer.from(other).toString('base64url'), signature].join('.');
    await expect(verifyToken(changed, publicRaw, expected)).rejects.toMatchObject(unauthenticated);
    const none = Buffer.from('{"alg":"none","typ":"JWT"}').toString('base64url');
    await expect(verifyToken(`${none}.${body}.`, publicRaw, expected)).rejects.toMatchObject(
      unauthenticated,
    );
  });

  it.each(['sub', 'jti', 'exp', 'tenant', 'roles'])('are refused without %s', async (claim) => {
    const all = { sub: 'a', jti: 'j', exp: claims.expiresAtSeconds, tenant: 'acme', roles: [] };
    const body = Object.fromEntries(Object.entries(all).filter(([name]) => name !== claim));
    const jwt = await new SignJWT({ ...body, iss: expected.issuer, aud: expected.audience })
      .setProtectedHeader({ alg: 'EdDSA', typ: 'JWT' })
      .sign(privateKey);
    await expect(verifyToken(jwt, publicRaw, expected)).rejects.toMatchObject(unauthenticated);
  });

  it.each([{ tenant: 'a/b' }, { tenant: 7 }, { roles: 'key-admin' }, { roles: [1] }])(
    'are refused with %j',
    async (wrong) => {
      const all = { sub: 'a', jti: 'j', exp: claims.expiresAtSeconds, tenant: 'acme', roles: [] };
      const body = { ...all, iss: expected.issuer, aud: expected.audience, ...wrong };
      const jwt = await new SignJWT(body)
        .setProtectedHeader({ alg: 'EdDSA', typ: 'JWT' })
        .sign(privateKey);
      await expect(verifyToken(jwt, publicRaw, expected)).rejects.toMatchObject(unauthenticated);
    },
  );
});
