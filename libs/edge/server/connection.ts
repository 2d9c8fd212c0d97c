import type { Socket } from 'node:net';
import { LIMITS } from '@kcm/kernel';
import type { EdgeApi } from './api.js';
import type { HeldBytes, Holder } from './held-bytes.js';
import { HttpReader, type HttpRequest, type Malformed } from './http-reader.js';
import { titleOf, type Answer } from './problem.js';

const CONTINUE = 'HTTP/1.1 100 Continue\r\n\r\n';
const TOO_MUCH: Malformed = {
  status: 429,
  detail: 'Too much is being sent at once: send it again in a moment.',
};
/** Read ahead of the request being answered at most: then the socket is paused. */
const READ_AHEAD_BYTES_MAX =
  LIMITS.edgeBodyBytesMax + LIMITS.edgeCiphertextBytesExtra + LIMITS.edgeHeaderBytesMax;
/** What a refused one still sends is read and forgotten for so long. */
const REFUSED_MS_MAX = 1_000;

export interface ServerLimits {
  readonly connectionsMax: number;
  /** Without a byte of a request: the connection is closed. */
  readonly idleMs: number;
  /** From a request's first byte to its last: else 408. */
  readonly requestMs: number;
  /** An answer of which nothing more is taken: the connection is closed. */
  readonly answerMs: number;
}

/** One client: its requests answered in order, with a limit on everything that it keeps or takes. */
export class Connection implements Holder {
  readonly #reader = new HttpReader();
  /** Of the request that is being answered. */
  #bodyBytes = 0;
  /** A request was answered since it last said what it holds. */
  #progress = false;
  #answering = false;
  #deaf = false;
  #closing = false;
  #refused = false;
  #ended = false;
  #changedAt: number;

  constructor(
    private readonly socket: Socket,
    private readonly api: EdgeApi,
    private readonly limits: ServerLimits,
    private readonly held: HeldBytes,
    private readonly now: () => number,
  ) {
    this.#changedAt = now();
    socket.on('data', (chunk) => this.#onData(chunk));
    // A half-sent body dies with its connection; what was whole is still answered.
    socket.on('end', () => {
      this.#ended = true;
      if (!this.#answering) socket.end();
    });
    socket.on('error', () => socket.destroy());
  }

  /** Once a second: too slow, deaf or idle for too long. */
  sweep(): void {
    const since = this.now() - this.#changedAt;
    if (this.#deaf && since >= this.limits.answerMs) this.socket.destroy();
    if (this.#answering) return;
    if (this.#reader.partial) {
      if (since < this.limits.requestMs) return;
      this.#refuse({ status: 408, detail: 'The request did not arrive in time.' });
    } else if (since >= this.limits.idleMs) this.socket.destroy();
  }

  finish(): void {
    this.#closing = true;
    if (!this.#answering) this.socket.end();
  }

  destroy(): void {
    this.socket.destroy();
  }

  giveUp(): void {
    this.#reader.clear();
    if (this.#deaf || this.#closing) this.socket.destroy();
    else this.#refuse(TOO_MUCH);
  }

  #tellHeld(): void {
    if (this.socket.destroyed || this.#refused) return;
    const bytes = this.#reader.buffered + this.#bodyBytes + this.socket.writableLength;
    this.held.hold(this, bytes, this.#progress);
    this.#progress = false;
  }

  #onData(chunk: Buffer): void {
    if (this.#closing) return;
    if (!this.#answering && !this.#reader.partial) this.#changedAt = this.now();
    this.#reader.push(chunk);
    if (this.#reader.buffered > READ_AHEAD_BYTES_MAX) this.socket.pause();
    if (!this.#answering) this.#serve();
    this.#tellHeld();
  }

  /** Answers, in order, all requests that are whole. */
  #serve(): void {
    while (!this.socket.destroyed) {
      const read = this.#reader.next();
      if (read.kind === 'more') break;
      if (read.kind === 'malformed') return this.#refuse(read.malformed);
      if (read.kind === 'continue') {
        this.socket.write(CONTINUE);
        continue;
      }
      const answer = this.api.answer(read.request);
      if (answer instanceof Promise) {
        this.#answering = true;
        this.#bodyBytes = read.request.body.length;
        void answer.then((late) => {
          this.#answering = false;
          this.#bodyBytes = 0;
          if (this.#write(late, read.request)) this.#serve();
          this.#tellHeld();
        });
        return;
      }
      if (!this.#write(answer, read.request)) return;
    }
    if (this.#ended) this.socket.end();
    else this.socket.resume();
  }

  /** False: nothing more is read from this connection now. */
  #write(answer: Answer, request: HttpRequest): boolean {
    if (this.socket.destroyed || this.#refused) return false;
    this.#changedAt = this.now();
    this.#progress = true;
    const close = this.#closing || !request.keepAlive;
    const { text, encoding } = textOf(answer, close, request.method === 'HEAD');
    const flushed = this.socket.write(text, encoding);
    if (close) {
      this.#closing = true;
      this.socket.end();
      return false;
    }
    if (flushed) return true;
    // The client does not read: neither do we, until it has.
    this.#answering = true;
    this.#deaf = true;
    this.socket.pause();
    this.socket.once('drain', () => {
      this.#answering = false;
      this.#deaf = false;
      this.#changedAt = this.now();
      this.#serve();
      this.#tellHeld();
    });
    return false;
  }

  #refuse(fault: Malformed): void {
    this.#closing = true;
    this.#refused = true;
    const { text, encoding } = textOf(this.api.refuseBytes(fault), true, false);
    this.socket.end(text, encoding);
    // Reading on, unread bytes would turn the close into a reset that eats the answer; not for
    // long.
    setTimeout(() => this.socket.destroy(), REFUSED_MS_MAX).unref();
  }
}

interface AnswerText {
  readonly text: string;
  /** Node writes ASCII several times faster when told that it is. */
  readonly encoding: 'latin1' | 'utf8';
}

function textOf(answer: Answer, close: boolean, headOnly: boolean): AnswerText {
  const { status, type, body } = answer;
  const bytes = Buffer.byteLength(body);
  let head = `HTTP/1.1 ${status} ${titleOf(status)}\r\nContent-Type: ${type}\r\n`;
  head += `Content-Length: ${bytes}\r\nCache-Control: no-store\r\n`;
  for (const [name, value] of answer.headers) head += `${name}: ${value}\r\n`;
  if (close) head += 'Connection: close\r\n';
  // The fields' names and values are ASCII; a body of as many bytes as characters is, too.
  const encoding = bytes === body.length ? 'latin1' : 'utf8';
  return { text: headOnly ? `${head}\r\n` : `${head}\r\n${body}`, encoding };
}
