import { type Code, CODES, httpStatusOf, KcmError } from '@kcm/kernel';
import { problem, titleOf } from './problem.js';

const OTHERS: readonly Code[] = [
  'tenant_not_active',
  'keystore_auth_failed',
  'keystore_wrong_algorithm',
  'keystore_address_refused',
];
const answerTo = (code: Code) => {
  const { status, headers } = problem(new KcmError(code, 'No.'), 'c');
  return { status, again: headers.some(([name]) => name === 'Retry-After') };
};

describe('A refusal of the Edge', () => {
  it.each(CODES.filter((code) => !OTHERS.includes(code)))('%s has its one status', (code) => {
    const status = httpStatusOf(code);
    expect(answerTo(code)).toEqual({ status, again: status === 503 });
  });

  it('is about the moment where Core’s would be about what was connected', () => {
    expect(OTHERS.map((code) => answerTo(code).status)).toEqual([403, 503, 503, 503]);
  });

  it.each(CODES)('%s has a title', (code) => {
    expect(titleOf(answerTo(code).status)).not.toBe('OK');
  });
});
