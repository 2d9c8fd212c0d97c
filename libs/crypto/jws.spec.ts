import { generateKeyPairSync } from 'node:crypto';
import { KcmError, type Json } from '@kcm/kernel';
import { signCompact, signJws, verifyJws } from './jws.js';
import {
  ed25519PrivateFromSeed,
  ed25519PublicFromRaw,
  ed25519RawOf,
  generateEd25519,
  kidOf,
} from './signing-keys.js';
import { Secret } from './secret.js';

/** RFC 8032 §7.1 test 1, the key of RFC 8037 appendix A. */
const SEED = '9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60';
const PUBLIC = 'd75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a';
const payload: Json = { b: [1, 'ü', null], a: { z: true, y: 1e21 } };

const generateP256 = () => generateKeyPairSync('ec', { namedCurve: 'P-256' });

describe('JWS', () => {
  it('agrees with RFC 8032 and RFC 8037 appendix A.4', () => {
    const key = ed25519PrivateFromSeed(Secret.own(Buffer.from(SEED, 'hex')));
    expect(ed25519RawOf(key).toString('hex')).toBe(PUBLIC);
    expect(signCompact(key, '{"alg":"EdDSA"}', Buffer.from('Example of Ed25519 signing'))).toBe(
      'eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc.' +
        'hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg',
    );
  });

  it.each([
    ['EdDSA', generateEd25519()],
    ['ES256', generateP256()],
  ] as const)('%s: verifies what it signed and no other text', (alg, { privateKey, publicKey }) => {
    const text = signJws(privateKey, { typ: 't', kid: 'k' }, payload);
    expect(verifyJws(text, publicKey)).toEqual({ header: { alg, kid: 'k', typ: 't' }, payload });
    for (let at = 0; at < text.length; at++)
      for (const char of ['A', 'B', '_', '.', '=', ' '])
        if (text[at] !== char)
          expect(() => verifyJws(text.slice(0, at) + char + text.slice(at + 1), publicKey)).toThrow(
            KcmError,
          );
    for (const other of [`${text}=`, `${text}A`, ` ${text}`, `${text}\n`, text.slice(0, -1)])
      expect(() => verifyJws(other, publicKey)).toThrow(KcmError);
  });

  it('refuses the mirrored ECDSA signature, which others would take', () => {
    const { privateKey, publicKey } = generateP256();
    const [header, body, signature] = signJws(privateKey, {}, payload).split('.');
    const bytes = Buffer.from(signature!, 'base64url');
    const order = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n;
    const s = BigInt(`0x${bytes.toString('hex', 32)}`);
    bytes.write((order - s).toString(16).padStart(64, '0'), 32, 'hex');
    const mirrored = `${header}.${body}.${bytes.toString('base64url')}`;
    expect(() => verifyJws(mirrored, publicKey)).toThrow('signature');
  });

  it.each([
    ['payload in another order', '{"alg":"EdDSA"}', '{"b":1,"a":2}', 'canonical'],
    ['payload with a doubled member', '{"alg":"EdDSA"}', '{"a":1,"a":1}', 'canonical'],
    ['header with a space', '{"alg": "EdDSA"}', '{}', 'canonical'],
    ['no algorithm', '{"alg":"none"}', '{}', 'algorithm'],
    ['another algorithm', '{"alg":"ES256"}', '{}', 'algorithm'],
    ['an extension', '{"alg":"EdDSA","crit":["x"]}', '{}', 'extension'],
    ['text that is not JSON', '{"alg":"EdDSA"}', 'x', 'not JSON'],
    ['a header that is no object', '[]', '{}', 'object'],
  ])('refuses %s though the signature is right', (_, header, body, why) => {
    const { privateKey, publicKey } = generateEd25519();
    const text = signCompact(privateKey, header, Buffer.from(body));
    expect(() => verifyJws(text, publicKey)).toThrow(why);
  });

  it('refuses another key', () => {
    const text = signJws(generateEd25519().privateKey, {}, payload);
    expect(() => verifyJws(text, generateEd25519().publicKey)).toThrow('signature');
    expect(() => verifyJws(text, generateP256().publicKey)).toThrow('algorithm');
  });

  it('names a key by its public half', () => {
    const { publicRaw, publicKey } = generateEd25519();
    expect(kidOf(publicRaw)).toMatch(/^[0-9a-f]{16}$/);
    expect(ed25519PublicFromRaw(publicRaw).equals(publicKey)).toBe(true);
  });
});
