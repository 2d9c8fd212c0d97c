import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { BSON } from 'mongodb';

const OP_MSG = 2013;
const HEADER = 16;
const WRITES = /^(insert|update|delete|createIndexes|dropIndexes|drop|create|findAndModify)$/;

export interface Cut {
  /** The write that is the last one, counted from 1. */
  readonly at: number;
  /** It does not get there; or it does, and its answer does not come back. */
  readonly when: 'before' | 'after';
}
type Answer = (command: string) => object | null;

/** A wire to a MongoDB server that ends for good at one write, as the process behind it would. */
export class MongoLine {
  readonly #server = createServer((near) => this.#join(near));
  readonly #sockets = new Set<Socket>();
  #writes = 0;
  #ended = false;

  private constructor(
    private readonly target: string,
    private readonly cut: Cut | null,
    private readonly answer: Answer,
  ) {}

  /** `answer`: what is answered in the server's place. */
  static async open(target: string, cut: Cut | null, answer: Answer = () => null) {
    const line = new MongoLine(target, cut, answer);
    await new Promise<void>((resolve) => line.#server.listen(0, '127.0.0.1', resolve));
    return line;
  }

  get address(): string {
    return `127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }
  /** The line was cut: there were so many writes. */
  get ended(): boolean {
    return this.#ended;
  }

  end(): void {
    this.#ended = true;
    for (const socket of this.#sockets) socket.destroy();
    this.#server.close();
  }

  #join(near: Socket): void {
    const [host, port] = this.target.split(':');
    const far = connect(Number(port), host);
    for (const [one, other] of [
      [near, far],
      [far, near],
    ] as const) {
      this.#sockets.add(one);
      one.on('error', () => undefined);
      one.on('close', () => other.destroy());
    }
    if (this.#ended) near.destroy();
    /** The answer to this request ends the line. */
    let last: number | null = null;
    near.on(
      'data',
      framed((message) => {
        if (this.#ended) return;
        const command = commandOf(message);
        const instead = this.answer(command);
        if (instead !== null) {
          near.write(answerTo(message, instead));
          return;
        }
        if (WRITES.test(command)) this.#writes += 1;
        if (this.cut !== null && WRITES.test(command) && this.#writes === this.cut.at) {
          if (this.cut.when === 'before') {
            this.end();
            return;
          }
          last = message.readInt32LE(4);
        }
        far.write(message);
      }),
    );
    far.on(
      'data',
      framed((message) => {
        if (last !== null && message.readInt32LE(8) === last) this.end();
        else if (!this.#ended) near.write(message);
      }),
    );
  }
}

/** Whole messages out of whatever pieces come. */
function framed(take: (message: Buffer) => void): (chunk: Buffer) => void {
  let held = Buffer.alloc(0);
  return (chunk) => {
    held = Buffer.concat([held, chunk]);
    while (held.length >= 4 && held.length >= held.readInt32LE(0)) {
      const length = held.readInt32LE(0);
      take(held.subarray(0, length));
      held = held.subarray(length);
    }
  };
}

/** The name of its first field; '' for a message of another kind. */
function commandOf(message: Buffer): string {
  if (message.readInt32LE(12) !== OP_MSG) return '';
  // Flags, the kind of the section, the length of its document, the type of its first field.
  const from = HEADER + 4 + 1 + 4 + 1;
  return message.toString('utf8', from, message.indexOf(0, from));
}

function answerTo(request: Buffer, answer: object): Buffer {
  const body = BSON.serialize(answer);
  const head = Buffer.alloc(HEADER + 4 + 1);
  head.writeInt32LE(head.length + body.length, 0);
  head.writeInt32LE(request.readInt32LE(4), 8);
  head.writeInt32LE(OP_MSG, 12);
  return Buffer.concat([head, body]);
}
