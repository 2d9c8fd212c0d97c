import {
  createDecipheriv,
  createHmac,
  createPrivateKey,
  createPublicKey,
  diffieHellman,
} from 'node:crypto';
import { DecryptionFailed } from '@kcm/kernel';
import { hpkeGenerate, hpkeOpen, hpkePublicOf, hpkeSeal } from './hpke.js';
import { Secret } from './secret.js';

const hex = (text: string) => Buffer.from(text, 'hex');
/** RFC 9180 appendix A.1.1, sequence number 0. */
const A1 = {
  info: hex('4f6465206f6e2061204772656369616e2055726e'),
  enc: hex('37fda3567bdbd628e88668c3c8d7e97d1d1253b6d4ea6d44c150f741f1bf4431'),
  skR: hex('4612c550263fc8ad58375df3f557aac531d26850903e55a9f23f21d8534e8ac8'),
  pkR: hex('3948cfe0ad1ddb695d780e59077195da6c56506b027329794ab02bca80815c4d'),
  aad: hex('436f756e742d30'),
  ct: hex(
    'f938558b5d72f1a23810b4be2ab4f84331acc02fc97babc53a52ae8218a355a96d8770ac83d07bea87e13c512a',
  ),
  plain: hex('4265617574792069732074727574682c20747275746820626561757479'),
};

describe('HPKE', () => {
  it('is what a reading of RFC 9180 opens that also opens appendix A.1', async () => {
    expect(openByTheRfc(1, A1.skR, A1.pkR, A1.info, A1.aad, A1.enc, A1.ct)).toEqual(A1.plain);
    const blob = await hpkeSeal(A1.pkR, A1.info, A1.aad, A1.plain);
    const [enc, ct] = [blob.subarray(0, 32), blob.subarray(32)];
    expect(openByTheRfc(2, A1.skR, A1.pkR, A1.info, A1.aad, enc, ct)).toEqual(A1.plain);
  });

  it('derives the public key of the vector', () => {
    expect(hpkePublicOf(Secret.copy(A1.skR))).toEqual(A1.pkR);
  });

  it('opens what it sealed, for the same info and AAD only', async () => {
    const { publicRaw, privateKey } = hpkeGenerate();
    const [info, aad, plain] = [Buffer.from('info'), Buffer.from('aad'), Buffer.from('plain')];
    const blob = await hpkeSeal(publicRaw, info, aad, plain);
    await expect(hpkeOpen(privateKey, info, aad, blob)).resolves.toEqual(plain);
    const other = Buffer.from('other');
    await expect(hpkeOpen(privateKey, other, aad, blob)).rejects.toThrow(DecryptionFailed);
    await expect(hpkeOpen(privateKey, info, other, blob)).rejects.toThrow(DecryptionFailed);
    const foreign = hpkeGenerate().privateKey;
    await expect(hpkeOpen(foreign, info, aad, blob)).rejects.toThrow(DecryptionFailed);
    await expect(hpkeOpen(privateKey, info, aad, blob.subarray(0, 31))).rejects.toThrow(
      DecryptionFailed,
    );
  });

  it('refuses a flipped bit in every byte', async () => {
    const { publicRaw, privateKey } = hpkeGenerate();
    const none = Buffer.alloc(0);
    const blob = await hpkeSeal(publicRaw, none, none, Buffer.from('plain'));
    for (let at = 0; at < blob.length; at++) {
      const copy = Buffer.from(blob);
      copy[at]! ^= 1;
      await expect(hpkeOpen(privateKey, none, none, copy)).rejects.toThrow(DecryptionFailed);
    }
  });
});

/** Base mode of DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, AES-GCM by RFC 9180 §4 and §5 alone. */
function openByTheRfc(
  aeadId: 1 | 2,
  skR: Buffer,
  pkR: Buffer,
  info: Buffer,
  aad: Buffer,
  enc: Buffer,
  ct: Buffer,
): Buffer {
  const keyBytes = aeadId === 1 ? 16 : 32;
  const kem = Buffer.concat([Buffer.from('KEM'), hex('0020')]);
  const suite = Buffer.concat([Buffer.from('HPKE'), hex('00200001'), hex(`000${aeadId}`)]);
  const mac = (key: Buffer, ...parts: Buffer[]) =>
    createHmac('sha256', key).update(Buffer.concat(parts)).digest();
  const label = (id: Buffer, name: string) =>
    Buffer.concat([Buffer.from('HPKE-v1'), id, Buffer.from(name)]);
  const extract = (id: Buffer, salt: Buffer, name: string, ikm: Buffer) =>
    mac(salt, label(id, name), ikm);
  const expand = (id: Buffer, prk: Buffer, name: string, context: Buffer, length: number) =>
    mac(
      prk,
      hex(length.toString(16).padStart(4, '0')),
      label(id, name),
      context,
      hex('01'),
    ).subarray(0, length);
  const none = Buffer.alloc(0);
  const privateKey = createPrivateKey({
    key: Buffer.concat([hex('302e020100300506032b656e04220420'), skR]),
    format: 'der',
    type: 'pkcs8',
  });
  const publicKey = createPublicKey({
    key: Buffer.concat([hex('302a300506032b656e032100'), enc]),
    format: 'der',
    type: 'spki',
  });
  const dh = diffieHellman({ privateKey, publicKey });
  const prk = extract(kem, none, 'eae_prk', dh);
  const shared = expand(kem, prk, 'shared_secret', Buffer.concat([enc, pkR]), 32);
  const context = Buffer.concat([
    hex('00'),
    extract(suite, none, 'psk_id_hash', none),
    extract(suite, none, 'info_hash', info),
  ]);
  const secret = extract(suite, shared, 'secret', none);
  const key = expand(suite, secret, 'key', context, keyBytes);
  const nonce = expand(suite, secret, 'base_nonce', context, 12);
  const decipher = createDecipheriv(keyBytes === 16 ? 'aes-128-gcm' : 'aes-256-gcm', key, nonce);
  decipher.setAAD(aad).setAuthTag(ct.subarray(-16));
  return Buffer.concat([decipher.update(ct.subarray(0, -16)), decipher.final()]);
}
