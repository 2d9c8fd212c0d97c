import { canonicalJson, type FieldError, type Json, uuidv5 } from '@kcm/kernel';
import type { DriverDeps } from '../driver-deps.js';
import { HostUnresolved } from '../egress.js';
import { Exchange } from '../exchange.js';
import {
  assertFields,
  baseUrlRule,
  checkFields,
  type FieldRules,
  type Fields,
  textOf,
  tokenRule,
} from '../fields.js';
import type { FieldSpec, KeystoreDriver } from '../keystore.js';
import { VaultClient } from './client.js';
import { VaultRootKey } from './root-key.js';
import { type VaultCredentials, VaultSession } from './session.js';
import { trustPolicy } from './trust-policy.js';

const field = (
  name: string,
  required: boolean,
  secret: boolean,
  description: string,
): FieldSpec => ({
  name,
  required,
  secret,
  description,
});
const FIELDS: readonly FieldSpec[] = [
  field('address', true, false, 'Address of the server, e.g. https://vault.example.com:8200'),
  field('mount', true, false, 'Path at which the transit engine is mounted, e.g. transit'),
  field('key', true, false, 'Name of the transit key (aes256-gcm96 or chacha20-poly1305)'),
  field('namespace', false, false, 'Namespace of the mount, where the server has them'),
  field('ca', false, false, 'PEM of the CA that signed the server’s certificate'),
  field('token', false, true, 'A token; or roleId and secretId'),
  field('roleId', false, true, 'RoleID of an AppRole'),
  field('secretId', false, true, 'SecretID of that AppRole'),
];
const PATH = /^[A-Za-z0-9_-]{1,64}(\/[A-Za-z0-9_-]{1,64}){0,7}$/;
const RULES: FieldRules = {
  address: baseUrlRule,
  mount: (value) => (PATH.test(value) ? null : 'must be a mount path without slashes at its ends'),
  key: (value) =>
    /^[A-Za-z0-9_]([A-Za-z0-9_.-]{0,126}[A-Za-z0-9_])?$/.test(value)
      ? null
      : 'must be the name of a transit key',
  namespace: (value) => (PATH.test(value) ? null : 'must be a namespace path'),
  ca: (value) => (isPem(value) ? null : 'must be PEM certificates, at most 64 KiB'),
  token: tokenRule,
  roleId: tokenRule,
  secretId: tokenRule,
};

/** OpenBao and HashiCorp Vault: their transit engine. */
export const createDriver = ({ egress }: DriverDeps): KeystoreDriver => ({
  name: 'vault',
  trialOnly: false,
  fields: FIELDS,
  abilities: { aad: true, requestIds: true },
  check,
  trustPolicy,
  async open(reference, credentials, pinned) {
    assertFields(check(reference, credentials));
    const address = new URL(textOf(reference, 'address')!);
    await egress
      .addressesOf(address.hostname, address.protocol === 'https:')
      .catch(laterIfUnresolved);
    const exchange = new Exchange(egress, textOf(reference, 'ca'));
    const base = address.href.replace(/\/+$/, '');
    const client = new VaultClient(base, textOf(reference, 'namespace'), exchange);
    const target = {
      mount: textOf(reference, 'mount')!,
      key: textOf(reference, 'key')!,
      addressFingerprint: uuidv5(canonicalJson([base, textOf(reference, 'namespace')])),
      pinned: pinned ?? null,
    };
    return new VaultRootKey(target, client, new VaultSession(client, credentialsOf(credentials)));
  },
});

function check(reference: Json, credentials: Json | null): FieldError[] {
  const errors = checkFields(FIELDS, RULES, reference, credentials);
  const given = credentials as Fields | null;
  if (errors.some(({ path }) => path.startsWith('credentials'))) return errors;
  const has = (name: string): boolean => given?.[name] !== undefined;
  const byRole = has('roleId') && has('secretId');
  if (has('token') ? has('roleId') || has('secretId') : !byRole)
    errors.push({
      path: 'credentials',
      code: 'required',
      detail: 'either token, or roleId and secretId',
    });
  return errors;
}

function credentialsOf(fields: Fields): VaultCredentials {
  const token = textOf(fields, 'token');
  if (token !== null) return { kind: 'token', token };
  const roleId = textOf(fields, 'roleId')!;
  return { kind: 'approle', roleId, secretId: textOf(fields, 'secretId')! };
}

/** A name that does not resolve now is the calls' matter: each of them answers unreachable. */
function laterIfUnresolved(error: unknown): void {
  if (!(error instanceof HostUnresolved)) throw error;
}

/**
 * Only certificates, each a whole DER SEQUENCE (X.690 §8.9): Node skips a broken one in silence.
 */
function isPem(value: string): boolean {
  if (value.length > 64 * 1024) return false;
  const blocks = /-----BEGIN CERTIFICATE-----([A-Za-z0-9+/=\s]+)-----END CERTIFICATE-----/g;
  const found = [...value.matchAll(blocks)].map(([, body]) => Buffer.from(body!, 'base64'));
  const rest = value.replaceAll(blocks, '').trim();
  return rest === '' && found.length > 0 && found.every(isWholeSequence);
}

const isWholeSequence = (der: Buffer): boolean =>
  der.length > 4 && der.readUInt16BE(0) === 0x3082 && der.readUInt16BE(2) === der.length - 4;
