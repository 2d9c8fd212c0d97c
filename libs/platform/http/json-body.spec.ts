import fastify, { type FastifyInstance } from 'fastify';
import { KcmError, LIMITS } from '@kcm/kernel';
import { acceptJsonAlone } from './json-body.js';

describe('A body', () => {
  let server: FastifyInstance;
  beforeEach(() => {
    server = fastify();
    acceptJsonAlone(server);
    server.setErrorHandler((error, _request, reply) => {
      const known = error instanceof KcmError ? error : null;
      void reply.status(400).send({ code: known?.code, detail: known?.message });
    });
    server.post('/', (request, reply) => reply.send({ body: request.body }));
  });
  const post = async (payload: string, type = 'application/json') => {
    const headers = { 'content-type': type };
    const answer = await server.inject({ method: 'POST', url: '/', payload, headers });
    return answer.json<{ body?: unknown; code?: string; detail?: string }>();
  };

  it('that is JSON arrives, and an empty one is as good as {}', async () => {
    expect(await post('{"a":["\\u00e9",1,null]}')).toEqual({ body: { a: ['é', 1, null] } });
    expect(await post('')).toEqual({ body: {} });
  });

  it.each([
    ['half of it', '{"a":'],
    ['a prototype', '{"__proto__":{"a":1}}'],
    ['a lone surrogate', '{"a":["\\ud800"]}'],
    ['a lone surrogate for a name', '{"\\udfff":1}'],
  ])('with %s is refused and cannot become a failure of ours', async (_what, payload) => {
    expect(await post(payload)).toMatchObject({ code: 'invalid_request' });
  });

  it('of any other type is not read', async () => {
    for (const type of ['text/plain', 'application/x-www-form-urlencoded'])
      expect(await post('{}', type)).not.toHaveProperty('body');
  });

  it('is refused beyond the depth that is allowed, however deep it is', async () => {
    const nested = (depth: number) => '['.repeat(depth) + ']'.repeat(depth);
    expect(await post(nested(LIMITS.httpBodyDepthMax))).toHaveProperty('body');
    for (const depth of [LIMITS.httpBodyDepthMax + 1, 400_000])
      expect(await post(nested(depth))).toMatchObject({
        code: 'invalid_request',
        detail: expect.stringContaining('nested') as string,
      });
  });
});
