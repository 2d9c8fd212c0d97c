import { CODES } from '@kcm/kernel';
import { Refused } from './failures.js';

describe('A refusal', () => {
  it.each(CODES)('%s says what to do next', (code) => {
    const { message } = new Refused({ code, detail: 'No.' });
    const [, next] = message.split('\n');
    expect(next).toMatch(/^[A-Z`].{10,}[.?]$/);
    expect(next).not.toContain('--help` after the command shows an example');
  });

  it('names its fields, the step that failed and the correlation id', () => {
    const errors = [{ path: 'leaseSeconds', code: 'too_small', detail: 'too small' }];
    const problem = { code: 'invalid_request', detail: 'No.', step: 'auth', correlationId: 'c-1' };
    const { message } = new Refused({ ...problem, errors });
    expect(message.split('\n')).toEqual([
      'No. [invalid_request]',
      '  failed at: auth',
      '  leaseSeconds: too small [too_small]',
      expect.stringContaining('Correct what is named'),
      'Correlation id c-1',
    ]);
  });
});
