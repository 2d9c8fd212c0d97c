import type { Route } from '../http/access.js';
import { refusedResponses } from './openapi-refusals.js';

const route = (of: Partial<Route>): Route => ({
  method: 'GET',
  path: 'v1/keystores',
  summary: '',
  roles: ['auditor'],
  status: 200,
  ...of,
});

describe('What a route may refuse with', () => {
  it.each<[string, Route]>([
    ['a query', route({})],
    ['a command', route({ method: 'POST', command: true })],
    ['what anybody may ask', route({ path: 'livez', roles: 'public' })],
  ])(
    'has for %s that its header fields are too large, or nothing that can be read',
    (_what, of) => {
      const responses = refusedResponses(of);
      expect(responses['431']).toMatchObject({ 'x-kcm-codes': ['headers_too_large'] });
      expect(responses['400']).toMatchObject({
        'x-kcm-codes': expect.arrayContaining(['invalid_request']),
      });
    },
  );
});
