import { LIMITS } from '@kcm/kernel';

/**
 * A whole request, HTTP/1.1 with a Content-Length body (RFC 9112), as the data plane accepts it.
 */
export interface HttpRequest {
  readonly method: string;
  /** Origin-form, query included. */
  readonly target: string;
  /** Lower-case names; a repeated field is joined with ", ". */
  readonly headers: ReadonlyMap<string, string>;
  readonly body: Buffer;
  readonly keepAlive: boolean;
}
/** Bytes that cannot be a request: answer with this status and close. */
export interface Malformed {
  readonly status: 400 | 408 | 411 | 413 | 417 | 429 | 431 | 505;
  readonly detail: string;
}
export type Read =
  | { readonly kind: 'request'; readonly request: HttpRequest }
  | { readonly kind: 'malformed'; readonly malformed: Malformed }
  /** The head asks for `100 Continue` before it sends the body. */
  | { readonly kind: 'continue' }
  | { readonly kind: 'more' };

interface Head {
  readonly method: string;
  readonly target: string;
  readonly headers: Map<string, string>;
  readonly keepAlive: boolean;
  readonly bodyBytes: number;
  continueSent: boolean;
}
const HEADERS_MAX = 64;
/** A longer head is parsed each time: a connection keeps the bytes of one. */
const KEPT_HEAD_BYTES_MAX = 1024;
const END = Buffer.from('\r\n\r\n');
// RFC 9110 §5.6.2 token; RFC 9112 §3 request-line; §5 field-line, without obsolete folding.
const REQUEST_LINE = /^([!#$%&'*+.^_`|~0-9A-Za-z-]{1,32}) (\/[\x21-\x7e]*) HTTP\/(\d\.\d)$/;
const FIELD_LINE = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([\x20-\x7e\t\x80-\xff]*?)[ \t]*$/;
const DIGITS = /^\d{1,10}$/;

/**
 * Cuts a byte stream into requests. Strict where leniency smuggles: one Content-Length, no transfer
 * coding, CRLF only, no space before a colon. After `malformed` the stream is dead.
 */
export class HttpReader {
  #chunks: Buffer[] = [];
  #bytes = 0;
  #head: Head | null = null;
  #dead = false;
  /** The last good head and its bytes: a client that keeps its connection mostly sends it again. */
  #kept: { readonly bytes: Buffer; readonly head: Head } | null = null;

  push(chunk: Buffer): void {
    this.#chunks.push(chunk);
    this.#bytes += chunk.length;
  }

  /** True while a request has begun and is not whole. */
  get partial(): boolean {
    return this.#head !== null || this.#bytes > 0;
  }

  /** Bytes read and not yet cut. */
  get buffered(): number {
    return this.#bytes;
  }

  /** Nothing more is read of the stream. */
  clear(): void {
    this.#dead = true;
    this.#chunks = [];
    this.#bytes = 0;
    this.#head = null;
  }

  next(): Read {
    if (this.#dead) return { kind: 'more' };
    if (this.#head === null) {
      const head = this.#readHead();
      if (head === null) return { kind: 'more' };
      if ('status' in head) {
        this.clear();
        return { kind: 'malformed', malformed: head };
      }
      this.#head = head;
    }
    const { bodyBytes } = this.#head;
    if (this.#bytes < bodyBytes) {
      if (this.#head.continueSent) return { kind: 'more' };
      this.#head.continueSent = true;
      return { kind: 'continue' };
    }
    const { method, target, headers, keepAlive } = this.#head;
    this.#head = null;
    const body = this.#take(bodyBytes);
    return { kind: 'request', request: { method, target, headers, keepAlive, body } };
  }

  #readHead(): Head | Malformed | null {
    let bytes = this.#joined();
    // RFC 9112 §2.2: empty lines before a request-line are passed by.
    while (bytes.length >= 2 && bytes[0] === 13 && bytes[1] === 10) {
      this.#take(2);
      bytes = this.#joined();
    }
    const again = this.#sameHead(bytes);
    if (again !== null) return again;
    const end = bytes.indexOf(END);
    const headBytes = end < 0 ? bytes.length : end + END.length;
    if (headBytes > LIMITS.edgeHeaderBytesMax)
      return { status: 431, detail: `The head is larger than ${LIMITS.edgeHeaderBytesMax} bytes.` };
    if (end < 0) return null;
    const taken = this.#take(headBytes);
    const head = parseHead(taken.toString('latin1', 0, end));
    if (!('status' in head) && headBytes <= KEPT_HEAD_BYTES_MAX)
      // Copied: the view would keep the whole chunk, and with it somebody's plaintext.
      this.#kept = { bytes: Buffer.from(taken), head: { ...head } };
    return head;
  }

  /** Equal bytes up to the empty line are an equal head: what was checked of it still holds. */
  #sameHead(bytes: Buffer): Head | null {
    if (this.#kept === null) return null;
    const kept = this.#kept.bytes;
    if (bytes.length < kept.length || bytes.compare(kept, 0, kept.length, 0, kept.length) !== 0)
      return null;
    this.#take(kept.length);
    return { ...this.#kept.head };
  }

  #joined(): Buffer {
    if (this.#chunks.length > 1) this.#chunks = [Buffer.concat(this.#chunks)];
    return this.#chunks[0] ?? EMPTY;
  }

  #take(count: number): Buffer {
    const bytes = this.#joined();
    const taken = bytes.subarray(0, count);
    this.#chunks = bytes.length === count ? [] : [bytes.subarray(count)];
    this.#bytes -= count;
    return taken;
  }
}

const CIPHERTEXT_TARGET = /\/(decrypt|rewrap)(-batch)?$/;
const EMPTY = Buffer.alloc(0);
const bad = (detail: string): Malformed => ({ status: 400, detail });

function parseHead(text: string): Head | Malformed {
  const lines = text.split('\r\n');
  const start = REQUEST_LINE.exec(lines[0]!);
  if (start === null) return bad('The request line is malformed.');
  const [, method, target, version] = start as unknown as [string, string, string, string];
  if (version !== '1.1') return { status: 505, detail: 'HTTP/1.1 only.' };
  if (lines.length - 1 > HEADERS_MAX)
    return { status: 431, detail: `More than ${HEADERS_MAX} header fields.` };
  const headers = new Map<string, string>();
  for (let at = 1; at < lines.length; at += 1) {
    const field = FIELD_LINE.exec(lines[at]!);
    if (field === null) return bad('A header field is malformed.');
    const name = field[1]!.toLowerCase();
    const before = headers.get(name);
    if (before !== undefined && (name === 'content-length' || name === 'host'))
      return bad(`The header field ${name} is there twice.`);
    headers.set(name, before === undefined ? field[2]! : `${before}, ${field[2]!}`);
  }
  if (!headers.has('host')) return bad('The header field host is missing.');
  const body = bodyOf(headers, method, target);
  if (typeof body !== 'number') return body;
  const expect = headers.get('expect');
  if (expect !== undefined && expect.toLowerCase() !== '100-continue')
    return { status: 417, detail: 'The only expectation that is met is 100-continue.' };
  const keepAlive = !/(^|[ ,])close($|[ ,])/i.test(headers.get('connection') ?? '');
  const continueSent = expect === undefined;
  return { method, target, headers, keepAlive, bodyBytes: body, continueSent };
}

function bodyOf(
  headers: ReadonlyMap<string, string>,
  method: string,
  target: string,
): number | Malformed {
  if (headers.has('transfer-encoding'))
    return { status: 411, detail: 'Send a Content-Length; transfer codings are not accepted.' };
  const length = headers.get('content-length');
  if (length === undefined)
    return method === 'POST' ? { status: 411, detail: 'Content-Length is missing.' } : 0;
  if (!DIGITS.test(length)) return bad('Content-Length is not a number.');
  const bytes = Number(length);
  const extra = CIPHERTEXT_TARGET.test(target) ? LIMITS.edgeCiphertextBytesExtra : 0;
  const max = LIMITS.edgeBodyBytesMax + extra;
  if (bytes > max) return { status: 413, detail: `The body is larger than ${max} bytes.` };
  return bytes;
}
