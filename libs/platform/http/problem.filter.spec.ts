import { jest } from '@jest/globals';
import type { Refusals } from '@kcm/application';
import { KcmError } from '@kcm/kernel';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Logger } from 'pino';
import { ProblemFilter } from './problem.filter.js';

describe('A refusal', () => {
  const record = jest.fn(async () => {});
  const error = jest.fn();
  const filter = new ProblemFilter(
    { record } as unknown as Refusals,
    { error } as unknown as Logger,
    (path) => (path.startsWith('/v1/tenants') ? 'GET, HEAD, POST' : null),
  );
  beforeEach(() => jest.clearAllMocks());

  const answer = async (raised: unknown, url?: string) => {
    const headers: Record<string, string> = {};
    const sent: { body: Record<string, unknown>; status: number } = { body: {}, status: 0 };
    const kcm = { correlationId: 'c1', principal: null };
    const reply = {
      request: { kcm },
      header: (name: string, value: string) => ((headers[name] = value), reply),
      status: (status: number) => ((sent.status = status), reply),
      type: (type: string) => reply.header('Content-Type', type),
      send: (text: string) => ((sent.body = JSON.parse(text) as typeof sent.body), reply),
    };
    const request = { kcm, url: '/v1/tenants?x=secret', method: 'POST', routeOptions: { url } };
    await filter.answer(
      raised,
      request as unknown as FastifyRequest,
      reply as unknown as FastifyReply,
    );
    return { ...sent, headers };
  };

  it('leaves as problem+json with its code, status and correlation id', async () => {
    const given = { retryAfterSeconds: 3 };
    const { body, status, headers } = await answer(new KcmError('sealed', 'It is sealed.', given));
    expect(status).toBe(503);
    expect(body).toEqual({
      type: 'urn:kcm:problem:sealed',
      title: 'Sealed',
      status: 503,
      detail: 'It is sealed.',
      code: 'sealed',
      correlationId: 'c1',
    });
    expect(headers).toMatchObject({
      'Content-Type': 'application/problem+json',
      'Retry-After': '3',
    });
  });

  it.each([new Error('the key is 00ff'), 'a thrown text', null, undefined, { code: 7 }])(
    'of nothing that we know shows not one word of it, and is logged: %p',
    async (raised) => {
      const { body, status } = await answer(raised);
      expect([status, body['code']]).toEqual([500, 'internal']);
      expect(JSON.stringify(body)).not.toMatch(/00ff|thrown/);
      expect(error).toHaveBeenCalledTimes(1);
    },
  );

  it('for its method names the methods that the path serves', async () => {
    const { status, body, headers } = await answer(new KcmError('not_found', 'None.'));
    expect([status, body['code']]).toEqual([405, 'method_not_allowed']);
    expect(headers['Allow']).toBe('GET, HEAD, POST');
    expect((await answer(new KcmError('not_found', 'None.'), '/v1/tenants')).status).toBe(404);
  });

  it('of a command is recorded before it is answered, without its query', async () => {
    await answer(new KcmError('wrong_state', 'Not now.'), '/v1/tenants');
    expect(record).toHaveBeenCalledWith(
      expect.objectContaining({ code: 'wrong_state', resource: '/v1/tenants' }),
    );
  });
});
