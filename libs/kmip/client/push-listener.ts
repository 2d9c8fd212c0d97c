import { LIMITS, type Tracer } from '@kcm/kernel';
import { Framer, Tag } from '../codec/index.js';
import { PUSH_PROTOCOL } from '../profile/index.js';
import { Responder, serveStream, type Handlers } from '../wire/index.js';
import { connectTls, type KmipClientOptions } from './tls.js';

export interface PushListenerOptions extends KmipClientOptions {
  /** What the server may ask: Notify, and Query as a ping that names this boot. */
  readonly handlers: Handlers<null>;
  readonly wallMs: () => number;
  readonly newCorrelationId: () => string;
  readonly tracer?: Tracer;
  /** A handler threw something other than a KmipFailure. Must not throw. */
  readonly onError: (error: unknown, operation: string) => void;
}

/** The second connection, on which the server asks and this side answers. */
export class PushListener implements AsyncDisposable {
  private constructor(
    private readonly stop: () => void,
    /** Resolves when the connection is over, for whatever reason. */
    readonly closed: Promise<void>,
  ) {}

  /** @throws KmipUnavailable */
  static async connect(options: PushListenerOptions): Promise<PushListener> {
    const socket = await connectTls(options, PUSH_PROTOCOL);
    const responder = new Responder<null>(options);
    const framer = new Framer(Tag.RequestMessage, LIMITS.ttlvMessageBytesMax);
    const closed = serveStream(socket, framer, responder, null, LIMITS.kmipMessageMsMax);
    return new PushListener(() => socket.destroy(), closed);
  }

  async close(): Promise<void> {
    this.stop();
    await this.closed;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}
