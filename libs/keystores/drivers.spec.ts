import { meaningOf, UNLISTED } from './cause-table.js';
import { DriverRegistry } from './driver-registry.js';
import { EgressGuard } from './egress.js';
import { SOFTWARE_CAUSES } from './software/causes.js';
import { VAULT_CAUSES } from './vault/causes.js';

const registry = new DriverRegistry({ egress: new EgressGuard({ allow: [] }) });

describe('cause tables', () => {
  it.each([
    ['software', SOFTWARE_CAUSES],
    ['vault', VAULT_CAUSES],
  ])('%s: what is not listed proves nothing', (_, table) => {
    for (const answer of ['', '403', '403 ', '404', '500', '200', 'constructor', '__proto__'])
      expect(meaningOf(table, answer)).toBe(UNLISTED);
    expect(UNLISTED.cause).toBe('indeterminate');
  });

  it.each([
    ['software', SOFTWARE_CAUSES],
    ['vault', VAULT_CAUSES],
  ])('%s: denied always names why, and credentials never deny', (_, table) => {
    for (const { cause, code } of Object.values(table)) {
      expect(cause === 'denied').toBe(
        /^root_key_(disabled|not_found|forbidden|pending_deletion)$/.test(code),
      );
      expect(cause === 'credential').toBe(code === 'keystore_auth_failed');
      expect(cause === 'integrity').toBe(code === 'integrity');
    }
  });
});

describe('driver registry', () => {
  it('loads each driver once, under its own name', async () => {
    for (const name of registry.names()) {
      const driver = await registry.get(name);
      expect(driver.name).toBe(name);
      expect(await registry.get(name)).toBe(driver);
    }
    expect((await registry.all()).map(({ name }) => name)).toEqual(['software', 'vault']);
  });

  it.each(['aws', 'constructor', '__proto__', ''])('refuses the name %j', async (name) => {
    await expect(registry.get(name)).rejects.toMatchObject({ code: 'invalid_request' });
  });
});

const CA = [
  '-----BEGIN CERTIFICATE-----',
  'MIIBbjCCARWgAwIBAgIUeLYAGXxJ5l/Hm3FkJwv1N73ORtMwCgYIKoZIzj0EAwIw',
  'DTELMAkGA1UEAwwCY2EwHhcNMjYxMTI0MjMyNzQ4WhcNMzYxMTIxMjMyNzQ4WjAN',
  'MQswCQYDVQQDDAJjYTBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABDTxGgOkDebZ',
  'MLr469r1aS6D5RNzVY5ZP/jlsODSUp0+/z6WC/XihpCgCC8NrrPepugOEOna+Zve',
  'Snui/7ylpKOjUzBRMB0GA1UdDgQWBBRED6bswWKbocX50brSw62Uiu0rBzAfBgNV',
  'HSMEGDAWgBRED6bswWKbocX50brSw62Uiu0rBzAPBgNVHRMBAf8EBTADAQH/MAoG',
  'CCqGSM49BAMCA0cAMEQCIFPU0LVTXxcdiMTRGZ8KNlezmwanIC80wEXbggNmrXxV',
  'AiAXBD9bemJ6JPPSMOffUB3K0Iq48Dj9CHBs9LhwvRZeAA==',
  '-----END CERTIFICATE-----',
].join('\n');

describe('driver fields', () => {
  const paths = async (name: string, reference: never, credentials: never) =>
    (await registry.get(name)).check(reference, credentials).map(({ path, code }) => [path, code]);

  it('takes references as they are documented', async () => {
    const software = { url: 'https://kms.example/base', key: 'root' } as never;
    expect(await paths('software', software, { token: 't' } as never)).toEqual([]);
    const vault = { address: 'https://v:8200', mount: 'a/transit', key: 'k.1-x' } as never;
    expect(await paths('vault', vault, { token: 't' } as never)).toEqual([]);
    const withCa = { ...(vault as object), ca: `${CA}\n${CA}\n` } as never;
    expect(await paths('vault', withCa, { token: 't' } as never)).toEqual([]);
    expect(await paths('vault', vault, { roleId: 'r', secretId: 's' } as never)).toEqual([]);
  });

  it.each([
    ['nothing', null, null, ['reference invalid', 'credentials.token required']],
    ['a list', [], {}, ['reference invalid', 'credentials.token required']],
    [
      'wrong types',
      { url: 1, key: {} },
      { token: 't' },
      ['reference.url invalid', 'reference.key invalid'],
    ],
    [
      'secrets in the reference',
      { url: 'http://h', key: 'k', token: 't' },
      { token: 't' },
      ['reference.token unknown_field'],
    ],
    [
      'a password in the URL',
      { url: 'http://u:p@h', key: 'k' },
      { token: 't' },
      ['reference.url invalid'],
    ],
    [
      'a query in the URL',
      { url: 'http://h/?', key: 'k' },
      { token: 't' },
      ['reference.url invalid'],
    ],
    [
      'a header break',
      { url: 'http://h', key: 'k' },
      { token: 't\r\nx: y' },
      ['credentials.token invalid'],
    ],
  ])('software refuses %s', async (_, reference, credentials, expected) => {
    const found = await paths('software', reference as never, credentials as never);
    expect(found.map((pair) => pair.join(' '))).toEqual(expected);
  });

  it.each([
    ['no credentials', {}, null, ['credentials required']],
    ['half an AppRole', {}, { roleId: 'r' }, ['credentials required']],
    ['both kinds', {}, { token: 't', roleId: 'r', secretId: 's' }, ['credentials required']],
    [
      'a path that climbs',
      { mount: 'a/../sys', key: '..' },
      { token: 't' },
      ['reference.mount invalid', 'reference.key invalid'],
    ],
    [
      'a CA that is none',
      { ca: '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----' },
      { token: 't' },
      ['reference.ca invalid'],
    ],
  ])('vault refuses %s', async (_, change, credentials, expected) => {
    const reference = { address: 'https://v:8200', mount: 'transit', key: 'k', ...change };
    const found = await paths('vault', reference as never, credentials as never);
    expect(found.map((pair) => pair.join(' '))).toEqual(expected);
  });

  it('gives a policy for exactly the key that is to be trusted', async () => {
    const reference = { address: 'https://v', mount: 'kms/transit', key: 'root' };
    const trust = (await registry.get('vault')).trustPolicy(reference, 'acme', 'eu');
    expect(trust.policy).toContain('path "kms/transit/decrypt/root"');
    expect(trust.policy).not.toMatch(/\*|sudo|create|delete/);
    expect(trust.identity).toContain('openkcm-eu-acme');
    expect(trust.logField).toContain('x-correlation-id');
  });
});
