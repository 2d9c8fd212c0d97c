import * as http from 'node:http';
import * as https from 'node:https';
import { text } from 'node:stream/consumers';
import { KcmError } from '@kcm/kernel';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { sendProblem } from './problem.filter.js';

/** Of one connection alone (RFC 9110 §7.6.1), or made anew here. */
const OWN = new Set([
  'connection',
  'content-length',
  'expect',
  'host',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authorization',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'x-correlation-id',
  'x-forwarded-for',
]);

const FORWARDED = 'kcm-forwarded';

export interface Neighbour {
  /** As people call it. */
  readonly name: string;
  readonly url: URL;
  /** PEM of the authorities that its certificate is of; null: those of the machine. */
  readonly ca: string | null;
  /** So long it may take to answer. */
  readonly answerMsMax: number;
}

/**
 * Another process of this product, whose paths are served here too: each request goes on as it
 * came, with who asked and its correlation id, and is decided there.
 */
export class Upstream {
  readonly #agent: http.Agent;
  #asked: { readonly at: number; readonly answer: Promise<boolean> } | null = null;

  constructor(readonly neighbour: Neighbour) {
    const { url, ca } = neighbour;
    this.#agent =
      url.protocol === 'https:'
        ? new https.Agent({ keepAlive: true, ...(ca === null ? {} : { ca }) })
        : new http.Agent({ keepAlive: true });
  }

  /** Serves everything at or below these paths from there. */
  serve(server: FastifyInstance, paths: readonly string[]): void {
    void server.register((scope, _options, done) => {
      scope.removeAllContentTypeParsers();
      scope.addContentTypeParser('*', { parseAs: 'buffer' }, (_request, body, parsed) =>
        parsed(null, body),
      );
      for (const path of paths) {
        scope.all(path, (request, reply) => this.#forward(request, reply));
        scope.all(`${path}/*`, (request, reply) => this.#forward(request, reply));
      }
      done();
    });
  }

  /** Whether it answers; asked once a second however often one wants to know. Never throws. */
  answers(nowMs: number): Promise<boolean> {
    if (this.#asked === null || nowMs - this.#asked.at >= 1_000)
      this.#asked = {
        at: nowMs,
        answer: this.ask('/livez').then(
          () => true,
          () => false,
        ),
      };
    return this.#asked.answer;
  }

  /** What it answers to anybody, as JSON. @throws Error: nobody is there, or it is refused */
  async ask(path: string): Promise<unknown> {
    const response = await this.#send({ method: 'GET', path, headers: {} }, null);
    const body = await text(response);
    if (response.statusCode !== 200) throw new Error(`${path}: ${response.statusCode}`);
    return JSON.parse(body) as unknown;
  }

  close(): void {
    this.#agent.destroy();
  }

  async #forward(request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> {
    const { method, raw, ip, kcm } = request;
    const headers = Object.fromEntries(
      Object.entries(request.headers).filter(([name]) => !OWN.has(name)),
    );
    // Addresses in a ring would forward for ever.
    if (headers[FORWARDED] !== undefined) return this.#refuse(reply, 'forwards to us');
    headers[FORWARDED] = '1';
    headers['x-correlation-id'] = kcm.correlationId;
    headers['x-forwarded-for'] = ip;
    const body = Buffer.isBuffer(request.body) ? request.body : null;
    try {
      const answer = await this.#send({ method, path: raw.url!, headers }, body, reply);
      void reply.status(answer.statusCode ?? 502);
      for (const [name, value] of Object.entries(answer.headers))
        if (!OWN.has(name) && value !== undefined) void reply.header(name, value);
      return reply.send(answer);
    } catch {
      return this.#refuse(reply, 'does not answer: send the same request again to know');
    }
  }

  #refuse(reply: FastifyReply, why: string): FastifyReply {
    const detail = `${this.neighbour.name} ${why}.`;
    sendProblem(reply, new KcmError('core_unavailable', detail, { retryAfterSeconds: 1 }));
    return reply;
  }

  #send(
    options: Pick<http.RequestOptions, 'method' | 'path' | 'headers'>,
    body: Buffer | null,
    reply?: FastifyReply,
  ): Promise<http.IncomingMessage> {
    const { url, answerMsMax } = this.neighbour;
    const send = url.protocol === 'https:' ? https.request : http.request;
    return new Promise((resolve, reject) => {
      const request = send(
        {
          ...options,
          host: url.hostname.replace(/^\[|\]$/g, ''),
          port: url.port === '' ? undefined : url.port,
          agent: this.#agent,
          timeout: answerMsMax,
        },
        resolve,
      );
      request.on('error', reject);
      request.on('timeout', () => request.destroy(new Error('no answer in time')));
      // Nobody waits for it any more.
      reply?.raw.on('close', () => request.destroy());
      request.end(body ?? undefined);
    });
  }
}
