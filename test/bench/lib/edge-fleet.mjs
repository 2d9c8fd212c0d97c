// A process with many Edges: each the real one, with its own certificate, its own connections to
// Core (requests and notices over mTLS) and its own socket. Driven over IPC by a bench.
import { connect as connectTls } from 'node:tls';
import { request } from 'node:http';
import { startEdge } from '../../../dist/libs/edge/index.js';
import { sleep } from './measure.mjs';

/** CLOCK_MONOTONIC in ms: the same for all processes of a machine. */
const nowMs = () => Number(process.hrtime.bigint()) / 1e6;
const PLAINTEXT = Buffer.from('card 4711').toString('base64');
const SERVE_MS_MAX = 30_000;
/** Edges of a process that ask for their lease at once. */
const TOGETHER = 10;

let edges = [];
let raw = null;

function askSocket(socketPath, path, body) {
  return new Promise((resolve, reject) => {
    const headers = { 'content-type': 'application/json' };
    const asked = request({ socketPath, path, method: 'POST', headers }, (response) => {
      const chunks = [];
      response.on('data', (chunk) => chunks.push(chunk));
      response.on('end', () => {
        const answer = JSON.parse(Buffer.concat(chunks).toString('utf8'));
        resolve({ status: response.statusCode, body: answer });
      });
    });
    asked.on('error', reject);
    asked.end(JSON.stringify(body));
  });
}

class FleetEdge {
  refusedAt = null;

  constructor(edge, service, tenant) {
    this.edge = edge;
    this.path = `/v1/tenants/${tenant}`;
    this.socket = edge.sockets[service];
  }

  encrypt() {
    return askSocket(this.socket, `${this.path}/encrypt`, { plaintext: PLAINTEXT });
  }
  decrypt() {
    return askSocket(this.socket, `${this.path}/decrypt`, { ciphertext: this.ciphertext });
  }

  /** Resolves when a data key is cached and opens what it sealed. */
  async serving() {
    for (const end = nowMs() + SERVE_MS_MAX; ; await sleep(100)) {
      const sealed = await this.encrypt();
      this.ciphertext = sealed.body.ciphertext;
      if (sealed.status === 200 && (await this.decrypt()).status === 200) break;
      if (nowMs() > end)
        throw new Error(`an Edge does not serve: ${JSON.stringify([sealed, this.edge.status()])}`);
    }
    this.refusedAt = null;
  }
}

const acts = {
  async start({ options, identities }) {
    edges = await Promise.all(
      identities.map(async ({ id, ...certificate }) => {
        let mine = null;
        const log = ({ event }) => {
          // Told once it has dropped what it held; from here on it refuses.
          if (event === 'revoked' && mine !== null) mine.refusedAt ??= nowMs();
        };
        const own = { ...options, ...certificate, edge: id, socketDir: `${options.dir}/${id}` };
        const edge = await startEdge({ ...own, services: [options.service], log });
        mine = new FleetEdge(edge, options.service, options.tenant);
        return mine;
      }),
    );
  },
  /** Plain TLS connections to the bench itself, with the same certificates. */
  async connectRaw({ port, identities, bytes, answer }) {
    raw = { at: [], left: 0 };
    await Promise.all(
      identities.map(({ certificate, privateKey, ca }) => {
        const socket = connectTls({
          host: '127.0.0.1',
          port,
          cert: certificate,
          key: privateKey,
          ca,
          // The bench shows a certificate of an Edge: only what comes after the handshake counts.
          rejectUnauthorized: false,
        }).setNoDelay(true);
        let received = 0;
        socket.on('data', (chunk) => {
          received += chunk.length;
          if (received < bytes) return;
          received = 0;
          raw.at.push(nowMs());
          socket.write(Buffer.alloc(answer));
        });
        return new Promise((resolve, reject) => {
          socket.once('secureConnect', resolve).once('error', reject);
        });
      }),
    );
  },
  async rawTimes({ count }) {
    while (raw.at.length < count) await sleep(1);
    return raw.at.splice(0);
  },
  async serve() {
    for (let at = 0; at < edges.length; at += TOGETHER)
      await Promise.all(edges.slice(at, at + TOGETHER).map((edge) => edge.serving()));
  },
  /** When each refused, and how many still open what they sealed after they said so. */
  async refusals() {
    const end = nowMs() + 5_000;
    while (edges.some(({ refusedAt }) => refusedAt === null) && nowMs() < end) await sleep(2);
    const answers = await Promise.all(edges.map((edge) => edge.decrypt()));
    const missed = answers.filter(({ status }) => status === 200).length;
    return { times: edges.map(({ refusedAt }) => refusedAt), missed };
  },
  /** Until all refuse by their own clocks: nobody tells them. */
  async lastServed() {
    let last = nowMs();
    for (;;) {
      const answers = await Promise.all(edges.map((edge) => edge.decrypt()));
      if (answers.every(({ status }) => status !== 200)) return last;
      last = nowMs();
      await sleep(20);
    }
  },
  async stop() {
    await Promise.all(edges.map(({ edge }) => edge.stop()));
  },
};

process.on('message', ({ id, act, ...asked }) => {
  acts[act](asked).then(
    (done) => process.send({ id, done: done ?? null }),
    (error) => process.send({ id, failed: String(error.stack ?? error) }),
  );
});
process.on('disconnect', () => process.exit(0));
process.send({ id: 0, done: null });
