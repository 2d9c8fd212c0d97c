import type { Json } from '@kcm/kernel';
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
import type { FieldSpec, KeystoreDriver, TrustPolicy } from '../keystore.js';
import { SoftwareRootKey } from './root-key.js';

const FIELDS: readonly FieldSpec[] = [
  {
    name: 'url',
    required: true,
    secret: false,
    description: 'Where the keystore listens, e.g. http://127.0.0.1:8300',
  },
  { name: 'key', required: true, secret: false, description: 'Name or id of the key' },
  {
    name: 'token',
    required: true,
    secret: true,
    description: 'The access token that the keystore issued for this key',
  },
];
const RULES: FieldRules = {
  url: baseUrlRule,
  key: (value) =>
    /^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/.test(value)
      ? null
      : 'must be 1 to 128 letters, digits, ".", "_" or "-"',
  token: tokenRule,
};
const PINNED = /^[0-9a-f-]{36}\/[0-9a-f-]{36}$/;

/** The customer's own little keystore (`kcm keystore serve`), for trials. */
export const createDriver = ({ egress }: DriverDeps): KeystoreDriver => ({
  name: 'software',
  trialOnly: true,
  fields: FIELDS,
  abilities: { aad: true, requestIds: true },
  check: (reference: Json, credentials: Json | null) =>
    checkFields(FIELDS, RULES, reference, credentials),
  trustPolicy,
  async open(reference, credentials, pinned) {
    assertFields(checkFields(FIELDS, RULES, reference, credentials));
    const url = new URL(textOf(reference, 'url')!);
    await egress.addressesOf(url.hostname, url.protocol === 'https:').catch(laterIfUnresolved);
    const target = {
      url: url.href.replace(/\/+$/, ''),
      key: textOf(reference, 'key')!,
      token: textOf(credentials, 'token')!,
      pinned: pinned !== undefined && PINNED.test(pinned) ? pinned : null,
    };
    return new SoftwareRootKey(target, new Exchange(egress));
  },
});

/** A name that does not resolve now is the calls' matter: each of them answers unreachable. */
function laterIfUnresolved(error: unknown): void {
  if (!(error instanceof HostUnresolved)) throw error;
}

function trustPolicy(reference: Fields, tenant: string, region: string): TrustPolicy {
  const key = textOf(reference, 'key') ?? '<key>';
  const label = `openkcm/${region}/${tenant}`;
  return {
    identity: `token ${label}`,
    policy: JSON.stringify({ key, label, operations: ['describe', 'wrap', 'unwrap'] }, null, 2),
    steps: [
      'Run the keystore on your own machine: kcm keystore serve --data DIR',
      `Create the key: kcm keystore create ${key} --label ${label}`,
      'Hand over the printed token as the credential "token". It opens this key only.',
      `Withdraw access at any time: kcm keystore disable ${key}`,
    ],
    logField: 'callId',
  };
}
