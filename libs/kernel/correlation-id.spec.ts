import { correlationIdOf } from './correlation-id.js';

describe('A correlation id of a caller', () => {
  it.each(['a', 'A-1.b_c:d', 'x'.repeat(128), '0b9f2c1e-6a63-4f3c-9d0e-3a4f5b6c7d8e'])(
    'is kept: %s',
    (id) => {
      expect(correlationIdOf(id)).toBe(id);
    },
  );

  it.each(['', '-a', 'a b', 'a\n', '<a>', 'a/b', 'x'.repeat(129), 'é', undefined, ['a'], 7])(
    'is as good as none: %j',
    (given) => {
      expect(correlationIdOf(given)).toBeUndefined();
    },
  );
});
