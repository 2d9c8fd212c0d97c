import { KcmError, LIMITS } from '@kcm/kernel';
import type { FastifyInstance } from 'fastify';
import { isUtf8 } from 'node:buffer';

/**
 * JSON bodies and no others; an empty one is as good as `{}`. What could be parsed and never be
 * fingerprinted or recorded (RFC 7493: text that is not Unicode) is refused here.
 */
export function acceptJsonAlone(server: FastifyInstance): void {
  const parse = server.getDefaultJsonParser('error', 'error');
  server.removeAllContentTypeParsers();
  server.addContentTypeParser('application/json', { parseAs: 'buffer' }, (request, body, done) => {
    if (body.length === 0) return done(null, {});
    // Decoding would put U+FFFD for what is not UTF-8 (RFC 8259 §8.1).
    if (!isUtf8(body as Buffer)) return done(refusal('The body is not UTF-8.'), undefined);
    void parse(request, body.toString('utf8'), (error, value) => {
      const refused = error ? refusal('The body is not JSON.') : notIJson(value);
      done(refused, value);
    });
  });
}

/**
 * Why the value is no I-JSON of a sane depth, or null. Walks without recursion: depth is the
 * caller's.
 */
export function notIJson(body: unknown): KcmError | null {
  const rest: { readonly value: unknown; readonly depth: number }[] = [{ value: body, depth: 1 }];
  for (let next = rest.pop(); next !== undefined; next = rest.pop()) {
    const { value, depth } = next;
    if (typeof value === 'string' && !value.isWellFormed())
      return refusal('The body holds text that is not Unicode.');
    if (typeof value !== 'object' || value === null) continue;
    if (depth > LIMITS.httpBodyDepthMax)
      return refusal(`The body is nested deeper than ${LIMITS.httpBodyDepthMax} levels.`);
    for (const [name, member] of Object.entries(value)) {
      if (!name.isWellFormed()) return refusal('The body holds a name that is not Unicode.');
      rest.push({ value: member, depth: depth + 1 });
    }
  }
  return null;
}

const refusal = (detail: string): KcmError => new KcmError('invalid_request', detail);
