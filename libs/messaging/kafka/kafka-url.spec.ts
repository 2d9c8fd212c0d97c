import { generateKeyPairSync } from 'node:crypto';
import { inspect } from 'node:util';
import type { KcmError } from '@kcm/kernel';
import { TestAuthority } from '@kcm/testing/tls';
import { kafkaOptions, type KafkaTlsFiles } from './kafka-url.js';

const PASSWORD = 's3cr3t-p@ss:w/rd';
const encoded = encodeURIComponent(PASSWORD);

function refusal(url: string, files?: KafkaTlsFiles): KcmError {
  try {
    kafkaOptions(url, files);
  } catch (error) {
    return error as KcmError;
  }
  throw new Error(`${url} was taken`);
}
const paths = (url: string, files?: KafkaTlsFiles): string[] =>
  refusal(url, files).errors.map(({ path }) => path);

describe('The address of Kafka', () => {
  it('names brokers, and who we are there', () => {
    expect(kafkaOptions('kafka://a.example:9092,10.0.0.7:9093')).toEqual({
      brokers: ['a.example:9092', '10.0.0.7:9093'],
      tls: null,
      login: null,
    });
    const { login, tls } = kafkaOptions(`kafka+tls://core%40eu:${encoded}@k:9093`);
    expect(login).toMatchObject({ user: 'core@eu', mechanism: 'scram-sha-512' });
    expect(login?.password()).toBe(PASSWORD);
    expect(tls).not.toBeNull();
    const other = kafkaOptions('kafka://u:p@localhost:9092?mechanism=SCRAM-SHA-256');
    expect(other.login?.mechanism).toBe('scram-sha-256');
  });

  it('is TLS where a CA is given, with a certificate of ours and its key', async () => {
    const files = await (await TestAuthority.create()).server();
    const { ca } = files;
    expect(kafkaOptions('kafka://k:9093', files).tls).not.toBeNull();
    expect(kafkaOptions('kafka://u:p@k:9093', { ca }).login?.user).toBe('u');
  });

  it.each([
    ['http://k:9092', ['url']],
    ['kafka://k:9092/topic', ['url']],
    ['kafka://k:9092#x', ['url']],
    ['kafka://', ['host']],
    ['kafka://k', ['host']],
    ['kafka://k:0', ['host']],
    ['kafka://k:70000', ['host']],
    ['kafka://[::1]:9092', ['host']],
    ['kafka://k:9092,,k:70000', ['host 2', 'host 3']],
    ['kafka://k:9092?acks=0', ['?acks']],
    ['kafka://k:9092?mechanism=scram-sha-256', ['?mechanism']],
    ['kafka://u:p@localhost:9092?mechanism=plain', ['?mechanism']],
    ['kafka://u:p@localhost:9092?mechanism=scram-sha-256&mechanism=scram-sha-512', ['?mechanism']],
    ['kafka://u@localhost:9092', ['password']],
    ['kafka://:p@localhost:9092', ['user']],
    ['kafka://u:%zz@localhost:9092', ['password']],
    ['kafka://u:p@k:9092', ['scheme']],
    ['kafka://u:p@localhost:9092,k:9092', ['scheme']],
    ['kafka://u:p@127.evil.example:9092', ['scheme']],
  ])('%s is refused by field: %j', (url, wrong) => {
    expect(paths(url)).toEqual(wrong);
    expect(refusal(url).code).toBe('invalid_request');
  });

  it('is refused by field with files that do not go together', async () => {
    const { ca, certificate, privateKey } = await (await TestAuthority.create()).server();
    const other = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey;
    const foreign = String(other.export({ type: 'pkcs8', format: 'pem' }));
    expect(paths('kafka://k:1', { certificate, privateKey })).toEqual(['tls.certificate']);
    expect(paths('kafka://k:1', { ca: 'x' })).toEqual(['tls.ca']);
    expect(paths('kafka://k:1', { ca, certificate })).toEqual(['tls.privateKey']);
    expect(paths('kafka://k:1', { ca, privateKey })).toEqual(['tls.certificate']);
    expect(paths('kafka://k:1', { ca, certificate, privateKey: foreign })).toEqual([
      'tls.privateKey',
    ]);
    expect(paths('kafka://k:1', { ca, certificate: privateKey, privateKey: certificate })).toEqual([
      'tls.certificate',
      'tls.privateKey',
    ]);
  });

  it('shows no password, however it is printed and whatever is wrong with it', async () => {
    const files = await (await TestAuthority.create()).server();
    const key = files.privateKey.split('\n')[1]!;
    const options = kafkaOptions(`kafka://u:${encoded}@k:9092`, files);
    const wrong = [
      refusal(`kafka://u:${encoded}@k:9092`),
      refusal(`kafka://u:${encoded}@k:99999?x=1`),
      refusal(`kafka://u:${PASSWORD}@k:9092`),
      refusal(`kafka://k:1`, { ca: files.privateKey }),
    ];
    const seen = [options, ...wrong].flatMap((one) => [
      inspect(one, { depth: 9 }),
      JSON.stringify(one),
      one instanceof Error ? one.message : '',
    ]);
    for (const text of seen)
      for (const secret of [PASSWORD, encoded, 's3cr3t', key]) expect(text).not.toContain(secret);
  });
});
