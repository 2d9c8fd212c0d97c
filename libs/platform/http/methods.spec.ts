import type { Method, Route } from './access.js';
import { Methods } from './methods.js';

const route = (method: Method, path: string): Route => ({
  method,
  path,
  summary: '',
  roles: 'public',
  status: 200,
});

describe('The methods of a path', () => {
  const methods = new Methods([
    route('GET', 'v1/tenants'),
    route('POST', 'v1/tenants'),
    route('PUT', 'v1/tenants/:tenant/policy'),
    route('GET', 'openapi.json'),
    route('GET', 'v1/log/:region/tile/:rest'),
  ]);

  it.each([
    ['/v1/tenants?limit=1', 'GET, HEAD, POST'],
    ['/v1/tenants/a%20b/policy', 'PUT'],
    ['/openapi.json', 'GET, HEAD'],
    ['/v1/log/local/tile/0/x001/067.p/5', 'GET, HEAD'],
  ])('%s: %s', (url, allow) => expect(methods.of(url)).toBe(allow));

  it.each([
    '/v1/tenants/',
    '/v1/tenants/a/b/policy',
    '/v1/tenants//policy',
    '/openapi-json',
    '/',
    '/v1/log/a/b/tile/0',
    '/v1/log/a/tile/',
  ])('%s is no path', (url) => expect(methods.of(url)).toBeNull());
});
