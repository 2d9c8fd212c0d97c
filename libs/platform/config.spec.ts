import { mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type KcmError, LIMITS } from '@kcm/kernel';
import { readConfig } from './config.js';

const refused = (env: NodeJS.ProcessEnv): readonly string[] => {
  try {
    readConfig(env);
  } catch (error) {
    return (error as KcmError).errors.map(({ path, code }) => `${path} ${code}`);
  }
  return [];
};

describe('The configuration', () => {
  let folder: string;
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'kcm-config-'));
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  it('has a default for everything, and an empty variable is as good as none', () => {
    expect(readConfig({ KCM_REGION: '' })).toMatchObject({
      KCM_DATA_DIR: '.kcm',
      KCM_REGION: 'local',
      KCM_BIND: '127.0.0.1',
      KCM_HTTP_PORT: 8080,
      KCM_KMIP_PORT: 5696,
      KCM_EDGE_SERVICES: ['default'],
      KCM_SEAL: 'auto',
    });
  });

  it('names every wrong variable at once, those that are not built or not known too', () => {
    const errors = refused({
      KCM_REGION: 'Not A Region',
      KCM_BIND: '0.0.0.0',
      KCM_TLS_KEY: 'key.pem',
      KCM_HTTP_PORT: '70000',
      KCM_EDGE_SERVICES: 'ok,Not Ok',
      KCM_SEAL: 'keystore:',
      KCM_LEDGER: 'mysql://localhost',
      KCM_OIDC_ISSUERS: '[{"issuer":"http://idp.example"}]',
      KCM_NO_SUCH: '1',
    }).map((error) => error.split(' ')[0]);
    expect(new Set(errors)).toEqual(
      new Set([
        'KCM_BIND',
        'KCM_TLS_CERT',
        'KCM_EDGE_SERVICES',
        'KCM_HTTP_PORT',
        'KCM_LEDGER',
        'KCM_NO_SUCH',
        'KCM_OIDC_ISSUERS',
        'KCM_REGION',
        'KCM_SEAL',
      ]),
    );
  });

  it('takes a server by its URL where there is an adapter for it, and only there', () => {
    const urls = {
      KCM_LEDGER: 'esdb+discover://admin:secret@db-1:2113',
      KCM_READ_MODELS: 'mongodb://db-1,db-2/models',
      KCM_VAULT: 'mongodb+srv://db.example/vault',
    };
    expect(readConfig(urls)).toMatchObject(urls);
    const errors = refused({
      KCM_LEDGER: 'mongodb://db-1/x',
      KCM_DIRECTORY: 'esdb://db-1',
      KCM_ERASURE: 'sqlite:,esdb://db-1',
      KCM_VAULT: 'mongodb://',
    });
    expect(errors.map((error) => error.split(' ')[0])).toEqual([
      'KCM_LEDGER',
      'KCM_VAULT',
      'KCM_ERASURE',
      'KCM_DIRECTORY',
    ]);
  });

  it('takes one or two places of the erasure store, and a URL with commas for one', () => {
    const places = (text?: string) =>
      readConfig(text === undefined ? {} : { KCM_ERASURE: text }).KCM_ERASURE;
    expect(places()).toEqual(['sqlite:', 'sqlite:erasure-copy/erasure.db']);
    expect(places('sqlite:')).toEqual(['sqlite:']);
    const both = 'sqlite:/mnt/a/kcm/erasure.db, mongodb://db-1,db-2/erasure?w=majority';
    expect(places(both)).toEqual([
      'sqlite:/mnt/a/kcm/erasure.db',
      'mongodb://db-1,db-2/erasure?w=majority',
    ]);
    for (const wrong of ['sqlite:,sqlite:', 'sqlite:a,sqlite:b,sqlite:c', '/mnt/a', 'sqlite:,'])
      expect([wrong, ...refused({ KCM_ERASURE: wrong })]).toHaveLength(2);
  });

  it('reads X from the file X_FILE, and refuses to choose where both are given', () => {
    const file = join(folder, 'region');
    writeFileSync(file, 'eu-1\n');
    expect(readConfig({ KCM_REGION_FILE: file }).KCM_REGION).toBe('eu-1');
    expect(refused({ KCM_REGION_FILE: file, KCM_REGION: 'eu-2' })).toEqual([
      'KCM_REGION ambiguous',
    ]);
    expect(refused({ KCM_REGION_FILE: join(folder, 'none') })).toEqual([
      'KCM_REGION_FILE unreadable',
    ]);
  });

  it('reads no more of a file than a setting may hold, and nothing that is no file', () => {
    const file = join(folder, 'too-long');
    writeFileSync(file, '');
    truncateSync(file, LIMITS.textFileBytesMax + 1);
    for (const named of [file, '/dev/null', folder]) {
      expect(refused({ KCM_REGION_FILE: named })).toEqual(['KCM_REGION_FILE unreadable']);
    }
    const why = (env: NodeJS.ProcessEnv) => () => readConfig(env);
    expect(why({ KCM_OIDC_ISSUERS: `@${file}` })).toThrow(`KCM_OIDC_ISSUERS: ${file} is over`);
    expect(why({ KCM_OIDC_ISSUERS: '@/dev/null' })).toThrow('/dev/null is no regular file');
  });

  const issuer = { issuer: 'https://idp.example/', audience: 'openkcm', roleMap: { a: 'auditor' } };
  const wrongIn = (...issuers: object[]): string[] => {
    try {
      readConfig({ KCM_OIDC_ISSUERS: JSON.stringify(issuers) });
    } catch (error) {
      return (error as KcmError).errors.map(({ detail }) => detail.split(':')[0]!);
    }
    return [];
  };

  it('takes OIDC issuers as JSON or from @file, and what is left out has a default', () => {
    const file = join(folder, 'issuers.json');
    writeFileSync(file, JSON.stringify([issuer]));
    const [read] = readConfig({ KCM_OIDC_ISSUERS: `@${file}` }).KCM_OIDC_ISSUERS;
    expect(read).toMatchObject({
      issuer: 'https://idp.example/',
      platform: false,
      claims: { subject: ['sub'], tenant: ['tenant'], roles: ['roles'] },
      clockSkewSeconds: 30,
    });
    expect(read!.algorithms.filter((algorithm) => /^(none|HS)/.test(algorithm))).toEqual([]);
    expect(readConfig({}).KCM_OIDC_ISSUERS).toEqual([]);
    for (const wrong of ['[', '{}', '[]', `@${join(folder, 'none')}`]) {
      expect(refused({ KCM_OIDC_ISSUERS: wrong })).toHaveLength(1);
    }
  });

  it('names each wrong field of each OIDC issuer', () => {
    const wrong = { ...issuer, issuer: 'http://idp.example', clockSkewSeconds: 61 };
    const algorithms = ['HS256', 'none'];
    expect(wrongIn(issuer, { ...wrong, algorithms, tenant: 'no/id', more: 1 }).sort()).toEqual([
      'item 2',
      'item 2.algorithms.0',
      'item 2.algorithms.1',
      'item 2.clockSkewSeconds',
      'item 2.issuer',
      'item 2.tenant',
    ]);
    expect(wrongIn({ ...issuer, roleMap: { a: 'root' } })).toEqual(['item 1.roleMap.a']);
    expect(wrongIn(issuer, issuer)).toEqual(['names an issuer twice']);
    const spelled = { ...issuer, issuer: 'https://IDP.example:443' };
    expect(wrongIn(issuer, spelled)).toEqual(['names an issuer twice']);
    expect(wrongIn({ ...issuer, issuer: 'no URL' })).toContain('item 1.issuer');
    expect(wrongIn({ ...issuer, ca: 'no certificate' })).toEqual(['item 1.ca']);
  });

  it('gives an OIDC issuer platform roles only where that is said, and no tenant with them', () => {
    const roleMap = { ops: ['platform-operator', 'auditor'] };
    expect(wrongIn({ ...issuer, roleMap })).toEqual(['item 1.roleMap.ops']);
    expect(wrongIn({ ...issuer, roleMap, platform: true })).toEqual([]);
    expect(wrongIn({ ...issuer, platform: true, tenant: 'acme' })).toEqual(['item 1.platform']);
  });

  it('believes the proxies that are named, and refuses to believe everybody', () => {
    const proxies = (text: string) => readConfig({ KCM_TRUSTED_PROXIES: text }).KCM_TRUSTED_PROXIES;
    expect(readConfig({}).KCM_TRUSTED_PROXIES).toEqual([]);
    expect(proxies('10.0.0.0/8, fd00::/8')).toEqual(['10.0.0.0/8', 'fd00::/8']);
    for (const wrong of ['10.0.0.1', 'proxy', '0.0.0.0/0', '10.0.0.0/8,::/0'])
      expect(() => proxies(wrong)).toThrow('KCM_TRUSTED_PROXIES: item ');
  });

  it('serves plain HTTP on loopback only', () => {
    expect(refused({ KCM_BIND: '0.0.0.0' })).toEqual(['KCM_BIND custom']);
    expect(refused({ KCM_BIND: '0.0.0.0', KCM_TLS_CERT: 'c', KCM_TLS_KEY: 'k' })).toEqual([]);
    expect(refused({ KCM_TLS_CERT: 'c' })).toEqual(['KCM_TLS_CERT custom']);
  });

  it('refuses a data folder whose sockets the system could not name', () => {
    expect(refused({ KCM_DATA_DIR: `/${'d'.repeat(120)}` })).toEqual(['KCM_DATA_DIR custom']);
  });
});
