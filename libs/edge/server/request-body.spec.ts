import { KcmError } from '@kcm/kernel';
import * as fc from 'fast-check';
import type { HttpRequest } from './http-reader.js';
import { workOfBody } from './request-body.js';

const request = (body: string | Buffer): HttpRequest => ({
  method: 'POST',
  target: '/v1/tenants/acme/encrypt',
  headers: new Map([['content-type', 'application/json']]),
  body: Buffer.from(body as string),
  keepAlive: true,
});
function outcome(body: string | Buffer): unknown {
  try {
    return workOfBody(request(body), { field: 'plaintext' });
  } catch (error) {
    return (error as KcmError).errors;
  }
}

describe('A body', () => {
  it('means the same however its JSON is written', () => {
    const value = fc.oneof(
      fc.uint8Array({ maxLength: 40 }).map((bytes) => Buffer.from(bytes).toString('base64')),
      fc.stringMatching(/^[A-Za-z0-9+/=\-_ "\\{},:é\n]{0,12}$/),
    );
    fc.assert(
      fc.property(value, (plaintext) => {
        const text = JSON.stringify({ plaintext });
        // A blank in front is enough to take the other way.
        expect(outcome(text)).toEqual(outcome(` ${text}`));
      }),
    );
  });

  it.each([
    '{"plaintext":"AAAA","plaintext":"BBBB"}',
    '{"plaintext":"AAAA","other":"BBBB"}',
    '{"plaintext":"AAAA","context":{"a":"b"}}',
    '{"plaintext":"AA\\u0041A"}',
    '{"plaintext":"AA\\/A"}',
    '{"plaintext":"AA=="}"}',
    '{"plaintext":"A=AA"}',
    '{"plaintext":"AAAA""}',
    '{"plaintext":""}',
    '{"plaintext":"}',
  ])('%s is read as JSON reads it', (text) => {
    expect(outcome(text)).toEqual(outcome(` ${text}`));
  });

  it('that is not UTF-8 is refused', () => {
    const body = Buffer.from('{"plaintext":"AAA\xff"}', 'latin1');
    expect(outcome(body)).toEqual(outcome(Buffer.concat([Buffer.from(' '), body])));
    expect(() => workOfBody(request(body), { field: 'plaintext' })).toThrow('UTF-8');
  });
});
