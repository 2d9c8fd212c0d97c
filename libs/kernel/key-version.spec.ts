import { keyVersionUid, parseKeyVersionUid } from './key-version.js';

describe('The unique identifier of a key version', () => {
  it('is read back as it was built', () => {
    const id = { tenant: 'Acme_1-eu', key: 'l3-0123456789ab', version: 12 };
    expect(keyVersionUid(id)).toBe('Acme_1-eu/l3-0123456789ab/12');
    expect(parseKeyVersionUid(keyVersionUid(id))).toEqual(id);
  });

  it.each([
    '',
    'acme/l3-0123456789ab',
    'acme/l3-0123456789ab/1/',
    'acme/l3-0123456789ab/0',
    'acme/l3-0123456789ab/01',
    'acme/l3-0123456789ab/1e3',
    'acme/l4-0123456789ab/1',
    'acme/l3-0123456789AB/1',
    '/l3-0123456789ab/1',
    '../l3-0123456789ab/1',
    'kwk-7c9e6679-7425-40de-944b-e07fc1f90ae7',
  ])('is not %p', (uid) => expect(parseKeyVersionUid(uid)).toBeNull());
});
