import { createPublicKey, generateKeyPairSync, sign, verify } from 'node:crypto';
import { checkpointText, originOf, parseCheckpoint } from './checkpoint.js';
import { emptyRoot } from './hashes.js';
import {
  type NoteKey,
  openNote,
  parseVerifierKey,
  signNote,
  type Verify,
  verifierKeyOf,
} from './note.js';

const ED25519_SPKI = Buffer.from('302a300506032b6570032100', 'hex');
const byNode: Verify = (publicKey, message, signature) => {
  const der = Buffer.concat([ED25519_SPKI, publicKey]);
  const key = createPublicKey({ key: der, format: 'der', type: 'spki' });
  return verify(null, message, key, signature);
};
const pair = generateKeyPairSync('ed25519');
const spki = pair.publicKey.export({ format: 'der', type: 'spki' });
const key: NoteKey = { name: 'openkcm/local', publicKey: spki.subarray(-32) };
const signed = (text: string, by = key) =>
  signNote(text, by, (message) => sign(null, message, pair.privateKey));

/** The example of the Go package that this format comes from (golang.org/x/mod/sumdb/note). */
const PUBLISHED = {
  verifier: 'PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW',
  text: 'If you think cryptography is the answer to your problem,\nthen you don’t know what your problem is.\n'.replace(
    '’',
    "'",
  ),
  signature:
    '— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n',
};

describe('a signed note', () => {
  it('opens as published', () => {
    const pinned = parseVerifierKey(PUBLISHED.verifier);
    expect(verifierKeyOf(pinned)).toBe(PUBLISHED.verifier);
    const note = `${PUBLISHED.text}\n${PUBLISHED.signature}`;
    expect(openNote(note, pinned, byNode)).toBe(PUBLISHED.text);
  });

  it('opens under its key and no other, and passes over the signatures of others', () => {
    const note = signed('one\ntwo\n');
    expect(openNote(note, key, byNode)).toBe('one\ntwo\n');
    expect(openNote(note, { ...key, name: 'openkcm/other' }, byNode)).toBeNull();
    const stranger = parseVerifierKey(PUBLISHED.verifier);
    expect(openNote(note, { ...stranger, name: key.name }, byNode)).toBeNull();
    expect(openNote(note + PUBLISHED.signature, key, byNode)).toBe('one\ntwo\n');
  });

  it('is refused for each byte of it that is changed', () => {
    const note = Buffer.from(signed('one\ntwo\n'), 'utf8');
    for (let at = 0; at < note.length; at += 1) {
      const changed = Buffer.from(note);
      changed[at]! ^= 1;
      expect(openNote(changed.toString('utf8'), key, byNode)).toBeNull();
    }
  });

  it.each(['', 'no newline', 'a\n', 'a\n\n', 'a\n\n— x\n', 'a\n\nx y\n', 'a\rb\n\n— n AAAAAAA=\n'])(
    '%j is none',
    (text) => {
      expect(openNote(text, key, byNode)).toBeNull();
    },
  );

  it('is not made of a text without an end or with a control character', () => {
    expect(() => signed('a')).toThrow('text');
    expect(() => signed('a\rb\n')).toThrow('text');
    expect(() => signed('a\n', { ...key, name: 'two words' })).toThrow('name');
  });

  it.each(['', 'name', 'PeterNeumann+c74f20a4+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW'])(
    'has no verifier key %j',
    (text) => {
      expect(() => parseVerifierKey(text)).toThrow('verifier key');
    },
  );
});

describe('a checkpoint', () => {
  const checkpoint = { origin: originOf('local', 'l-1'), size: 7, root: emptyRoot() };

  it('says its log, size and root', () => {
    const parsed = parseCheckpoint(checkpointText(checkpoint));
    expect(parsed).toEqual(checkpoint);
  });

  it('may have lines that a later format adds', () => {
    expect(parseCheckpoint(`${checkpointText(checkpoint)}more\n`)).toEqual(checkpoint);
  });

  const root = emptyRoot().toString('base64');
  it.each([
    '',
    'openkcm/local/l-1\n7\n',
    `\n7\n${root}\n`,
    `openkcm/local/l-1\n07\n${root}\n`,
    `openkcm/local/l-1\n-1\n${root}\n`,
    `openkcm/local/l-1\n99999999999999999\n${root}\n`,
    `openkcm/local/l-1\n7\n${root.slice(4)}\n`,
    `openkcm/local/l-1\n7\n${root}`,
    `openkcm/local/l-1\n7\n${root}\n\n`,
  ])('%j is none', (text) => {
    expect(parseCheckpoint(text)).toBeNull();
  });
});
