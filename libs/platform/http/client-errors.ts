import { type Code, KcmError } from '@kcm/kernel';
import type { Server, ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import { PROBLEM_TYPE, problemOf } from './problem.js';

/** What Node's parser gives up on, by its error code; everything else cannot be read. */
const KNOWN: { readonly [code: string]: [Code, string] } = {
  ERR_HTTP_REQUEST_TIMEOUT: ['request_timeout', 'The request did not arrive in time.'],
  HPE_HEADER_OVERFLOW: ['headers_too_large', 'The header fields are over 16 KiB.'],
  HPE_CHUNK_EXTENSIONS_OVERFLOW: ['payload_too_large', 'The chunk extensions are over 16 KiB.'],
};
const UNREADABLE: [Code, string] = ['invalid_request', 'The request cannot be read.'];
const REASONS: { readonly [status: number]: string } = {
  400: 'Bad Request',
  408: 'Request Timeout',
  413: 'Content Too Large',
  431: 'Request Header Fields Too Large',
};
/** From our last byte to the cut: who is refused need not close its side. */
const LINGER_MS = 1_000;

/**
 * Bytes that are no HTTP request, or come too slowly: answered by hand, after the answers to what
 * was whole before them on the same connection, which ends with it.
 */
export class ClientErrors {
  readonly #open = new WeakMap<Duplex, Set<ServerResponse>>();

  watch(server: Server): void {
    server.prependListener('request', ({ socket }, response) => {
      const open = this.#open.get(socket) ?? new Set();
      this.#open.set(socket, open.add(response));
      response.once('close', () => open.delete(response));
    });
  }

  /** @returns the code that it is refused with; null: the peer is gone and hears nothing */
  refuse(error: NodeJS.ErrnoException, socket: Duplex, correlationId: string): Code | null {
    if (error.code === 'ECONNRESET' || !socket.writable || socket.destroyed) {
      socket.destroy();
      return null;
    }
    const refusal = new KcmError(...(KNOWN[error.code ?? ''] ?? UNREADABLE));
    const open = [...(this.#open.get(socket) ?? [])];
    const earlier = open.filter(({ req }) => req.complete);
    const answered = open.some(({ req, headersSent }) => !req.complete && headersSent);
    let left = earlier.length;
    const end = () => {
      if (answered) socket.end();
      else socket.end(bytesOf(refusal, correlationId));
      setTimeout(() => socket.destroy(), LINGER_MS).unref();
    };
    for (const response of earlier) response.once('close', () => void (--left === 0 && end()));
    if (left === 0) end();
    return refusal.code;
  }
}

function bytesOf(refusal: KcmError, correlationId: string): string {
  const problem = problemOf(refusal, correlationId);
  const body = JSON.stringify(problem);
  return (
    `HTTP/1.1 ${problem.status} ${REASONS[problem.status]}\r\nContent-Type: ${PROBLEM_TYPE}\r\n` +
    `X-Correlation-Id: ${correlationId}\r\nContent-Length: ${Buffer.byteLength(body)}\r\n` +
    `Cache-Control: no-store\r\nConnection: close\r\n\r\n${body}`
  );
}
