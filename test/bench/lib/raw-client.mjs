// A client as lean as can be written for any HTTP/1.1 server: the same bytes again and again, one
// request after the other on each kept connection. The same for all servers that are compared.
import { connect } from 'node:net';

const HEAD_END = '\r\n\r\n';
const LAST_CHUNK = '\r\n0\r\n\r\n';

export function postOf(path, headers, body) {
  const lines = [`POST ${path} HTTP/1.1`, ...headers, 'Content-Type: application/json'];
  lines.push(`Content-Length: ${Buffer.byteLength(body)}`);
  return Buffer.from(`${lines.join('\r\n')}${HEAD_END}${body}`);
}

/** Kept connections to one server. @returns answers after all `operations` with their latencies */
export class RawClient {
  #sockets = [];

  constructor(to, request) {
    this.to = to;
    this.request = request;
  }

  async open(connections) {
    this.#sockets = await Promise.all(
      Array.from({ length: connections }, async () => {
        const socket = connect(this.to);
        await new Promise((resolve, reject) => {
          socket.once('connect', resolve).once('error', reject);
        });
        return socket.setNoDelay(true);
      }),
    );
    return this;
  }

  /** Latencies in ms. @throws Error with the head of any answer that is not 200 */
  async run(operations) {
    const each = operations / this.#sockets.length;
    const lists = await Promise.all(
      this.#sockets.map((socket) => exchanges(socket, this.request, each)),
    );
    return lists.flat();
  }

  close() {
    for (const socket of this.#sockets) socket.destroy();
  }
}

function exchanges(socket, request, count) {
  return new Promise((resolve, reject) => {
    const latencies = [];
    let sentAt = 0;
    let expected = -1;
    let received = 0;
    const send = () => {
      sentAt = performance.now();
      socket.write(request);
    };
    const done = (act, value) => {
      socket.off('data', onData).off('error', fail).off('close', fail);
      act(value);
    };
    const fail = (error) => done(reject, error || new Error('the server closed the connection'));
    const onData = (chunk) => {
      if (expected === -1) {
        const head = chunk.toString('latin1', 0, Math.min(chunk.length, 1024));
        if (!head.startsWith('HTTP/1.1 200')) return fail(new Error(chunk.toString('utf8')));
        const length = /\r\ncontent-length: (\d+)/i.exec(head);
        // Chunked: until its last chunk.
        expected = length === null ? -2 : head.indexOf(HEAD_END) + 4 + Number(length[1]);
      }
      received += chunk.length;
      const whole = expected === -2 ? chunk.includes(LAST_CHUNK) : received >= expected;
      if (!whole) return;
      latencies.push(performance.now() - sentAt);
      expected = -1;
      received = 0;
      if (latencies.length < count) return send();
      done(resolve, latencies);
    };
    socket.on('data', onData).on('error', fail).on('close', fail);
    send();
  });
}
