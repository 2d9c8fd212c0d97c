import http from 'node:http';
import https from 'node:https';
import type { LookupFunction } from 'node:net';
import { KcmError, LIMITS, type OneOrMore, ownMemory } from '@kcm/kernel';
import type { NoAnswerReason } from './cause-table.js';
import { type EgressGuard, HostUnresolved, type PinnedAddress } from './egress.js';

export interface ExchangeRequest {
  readonly method: string;
  readonly url: URL;
  readonly headers: Readonly<Record<string, string>>;
  /** Sent as application/json. */
  readonly json?: unknown;
  /** Ends the exchange, the name look-up included. */
  readonly signal: AbortSignal;
}
export interface ExchangeAnswer {
  readonly status: number;
  readonly headers: http.IncomingHttpHeaders;
  /** Parsed JSON object; null where the body is none or is not said to be JSON. */
  readonly body: { readonly [field: string]: unknown } | null;
}

/** No usable answer came back. Holds no text of the other side. */
export class NoAnswer extends Error {
  constructor(readonly reason: NoAnswerReason) {
    super(`no answer: ${reason}`);
    this.name = 'NoAnswer';
  }
}

/**
 * HTTP(S) to a customer-given address: each connection goes to an address that the egress guard
 * has passed, no proxy of the environment is used, no redirect followed, no answer above
 * LIMITS.keystoreAnswerBytesMax read. TLS ≥ 1.2, always verified.
 */
export class Exchange {
  readonly #http = new http.Agent({ keepAlive: true, maxSockets: 8 });
  readonly #https: https.Agent;

  /** `ca`: PEM that replaces the system's roots. */
  constructor(
    private readonly egress: EgressGuard,
    ca: string | null = null,
  ) {
    this.#https = new https.Agent({
      keepAlive: true,
      maxSockets: 8,
      minVersion: 'TLSv1.2',
      rejectUnauthorized: true,
      ...(ca === null ? {} : { ca }),
    });
  }

  /** @throws NoAnswer, nothing else */
  async send(request: ExchangeRequest): Promise<ExchangeAnswer> {
    const addresses = await this.#addressesOf(request);
    try {
      return await this.#once(request, addresses);
    } catch (error) {
      // The other side had closed the idle connection just as it was taken up again (RFC 9112
      // §9.5).
      if (error instanceof StaleConnection) return this.#once(request, addresses);
      throw error;
    }
  }

  close(): void {
    this.#http.destroy();
    this.#https.destroy();
  }

  async #addressesOf({ url, signal }: ExchangeRequest): Promise<OneOrMore<PinnedAddress>> {
    const late = new Promise<never>((_, reject) => {
      if (signal.aborted) reject(new NoAnswer('timeout'));
      signal.addEventListener('abort', () => reject(new NoAnswer('timeout')), { once: true });
    });
    const secure = url.protocol === 'https:';
    try {
      return await Promise.race([this.egress.addressesOf(url.hostname, secure), late]);
    } catch (error) {
      if (error instanceof NoAnswer) throw error;
      if (error instanceof HostUnresolved) throw new NoAnswer('unresolved');
      throw new NoAnswer(error instanceof KcmError ? 'address_refused' : 'unreachable');
    }
  }

  #once(request: ExchangeRequest, addresses: OneOrMore<PinnedAddress>): Promise<ExchangeAnswer> {
    const { url, signal } = request;
    const secure = url.protocol === 'https:';
    const payload = request.json === undefined ? null : payloadOf(request.json);
    return new Promise<ExchangeAnswer>((resolve, reject) => {
      const outgoing = (secure ? https : http).request(url, {
        method: request.method,
        agent: secure ? this.#https : this.#http,
        lookup: pinTo(addresses),
        maxHeaderSize: 16 * 1024,
        signal,
        headers: {
          accept: 'application/json',
          ...request.headers,
          ...(payload === null
            ? {}
            : { 'content-type': 'application/json', 'content-length': payload.length }),
        },
      });
      overwriteWhatIsRead(outgoing);
      const fail = (error: Error): void => {
        payload?.fill(0);
        reject(error);
      };
      outgoing.on('error', (error: NodeJS.ErrnoException) => {
        if (signal.aborted) return fail(new NoAnswer('timeout'));
        const stale = outgoing.reusedSocket && error.code === 'ECONNRESET';
        if (stale) return fail(new StaleConnection());
        fail(new NoAnswer(error.code?.startsWith('HPE_') ? 'malformed' : 'unreachable'));
      });
      let answered = false;
      // A switch of protocols ends a request with neither an answer nor an error.
      outgoing.on('close', () => {
        if (!answered) fail(new NoAnswer(signal.aborted ? 'timeout' : 'malformed'));
      });
      outgoing.on('response', (incoming) => {
        answered = true;
        payload?.fill(0);
        readBody(incoming, signal).then(
          (body) => resolve({ status: incoming.statusCode ?? 0, headers: incoming.headers, body }),
          reject,
        );
      });
      outgoing.end(payload ?? undefined);
    });
  }
}

class StaleConnection extends Error {}

/**
 * What the socket has read is filled with zeros as soon as Node's parser has been through it: the
 * body that it hands on is a copy. A socket goes to the next request after this one's `close`.
 */
function overwriteWhatIsRead(outgoing: http.ClientRequest): void {
  const overwrite = (read: Buffer): void => void read.fill(0);
  outgoing.once('socket', (socket) => {
    socket.on('data', overwrite);
    outgoing.once('close', () => socket.off('data', overwrite));
  });
}

/** In memory of its own: it may hold a seed. */
function payloadOf(json: unknown): Buffer {
  const text = JSON.stringify(json);
  const bytes = ownMemory(Buffer.byteLength(text));
  bytes.write(text);
  return bytes;
}

/** Answers every look-up of the socket with addresses that have already passed the guard. */
function pinTo(addresses: OneOrMore<PinnedAddress>): LookupFunction {
  return (_host, options, done) => {
    if (options.all === true) done(null, [...addresses]);
    else done(null, addresses[0].address, addresses[0].family);
  };
}

const IS_JSON = /^application\/([\w.-]+\+)?json\s*(;|$)/i;

async function readBody(
  incoming: http.IncomingMessage,
  signal: AbortSignal,
): Promise<ExchangeAnswer['body']> {
  const chunks: Buffer[] = [];
  let size = 0;
  try {
    for await (const chunk of incoming as AsyncIterable<Buffer>) {
      chunks.push(chunk);
      size += chunk.length;
      if (size > LIMITS.keystoreAnswerBytesMax) {
        incoming.destroy();
        throw new NoAnswer('too_large');
      }
    }
    const body = parseObject(Buffer.concat(chunks));
    return IS_JSON.test(incoming.headers['content-type'] ?? '') ? body : null;
  } catch (error) {
    if (error instanceof NoAnswer) throw error;
    throw new NoAnswer(signal.aborted ? 'timeout' : 'unreachable');
  } finally {
    for (const chunk of chunks) chunk.fill(0);
  }
}

/** Zeroizes `bytes`: an answer may hold a seed. */
function parseObject(bytes: Buffer): ExchangeAnswer['body'] {
  try {
    const value: unknown = JSON.parse(bytes.toString('utf8'));
    if (value === null || typeof value !== 'object' || Array.isArray(value)) return null;
    return value as { readonly [field: string]: unknown };
  } catch {
    return null;
  } finally {
    bytes.fill(0);
  }
}

/** The time limit of one call of a keystore, with the caller's own signal. */
export const callSignal = (signal: AbortSignal | undefined): AbortSignal => {
  const limit = AbortSignal.timeout(LIMITS.keystoreCallMsMax);
  return signal === undefined ? limit : AbortSignal.any([limit, signal]);
};
