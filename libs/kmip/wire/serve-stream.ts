import type { Duplex } from 'node:stream';
import { once } from 'node:events';
import { TtlvError, type Framer, type KmipFailure } from '../codec/index.js';

/** What answers: a {@link Responder}, or one with a gate before it (null closes the connection). */
export interface Answering<Peer> {
  answer(bytes: Uint8Array, peer: Peer, signal: AbortSignal): Promise<Buffer | null>;
  refuseMessage(failure: KmipFailure): Buffer;
}

/**
 * Answers the messages of one connection, one at a time: nothing more is read while one is in work.
 * A stream that is not KMIP is told so once and closed. Resolves when the connection is over.
 *
 * @param messageMs how long a message that has begun may take to arrive whole
 */
export async function serveStream<Peer>(
  stream: Duplex,
  framer: Framer,
  responder: Answering<Peer>,
  peer: Peer,
  messageMs: number,
): Promise<void> {
  const lost = new AbortController();
  const closed = new Promise<void>((resolve) => stream.once('close', () => resolve()));
  stream.once('close', () => lost.abort());
  stream.on('error', () => stream.destroy());
  const slow = new SlowMessage(() => stream.destroy(), messageMs);
  try {
    for await (const chunk of stream.iterator({ destroyOnReturn: false })) {
      const messages = framer.push(chunk as Buffer);
      if (messages.length > 0) slow.stop();
      for (const message of messages) {
        const answer = await responder.answer(message, peer, lost.signal);
        message.fill(0);
        if (answer === null || !(await send(stream, answer, lost.signal))) return;
      }
      if (framer.partial) slow.start();
    }
  } catch (error) {
    // Any other error is the connection's own: there is nobody left to tell.
    if (error instanceof TtlvError && !stream.destroyed) await refuse(stream, responder, error);
  } finally {
    slow.stop();
    stream.destroy();
    await closed;
  }
}

async function send(stream: Duplex, bytes: Buffer, signal: AbortSignal): Promise<boolean> {
  if (stream.destroyed) return false;
  if (stream.write(bytes)) return true;
  try {
    await once(stream, 'drain', { signal });
    return true;
  } catch {
    return false;
  }
}

/** Says why and closes; the peer has a moment to read it. */
async function refuse<Peer>(
  stream: Duplex,
  responder: Answering<Peer>,
  failure: KmipFailure,
): Promise<void> {
  await new Promise<void>((resolve) => {
    const timer = setTimeout(resolve, 1000);
    stream.end(responder.refuseMessage(failure), () => {
      clearTimeout(timer);
      resolve();
    });
  });
}

class SlowMessage {
  #timer: NodeJS.Timeout | null = null;

  constructor(
    private readonly onSlow: () => void,
    private readonly messageMs: number,
  ) {}

  /** Runs on from the first unfinished byte, however many more trickle in. */
  start(): void {
    this.#timer ??= setTimeout(this.onSlow, this.messageMs);
  }

  stop(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
  }
}
