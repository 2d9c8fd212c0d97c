// Many clients that are slow on purpose, in a process of their own: its work must not slow the good
// client that is measured. Arguments: JSON of {doors: [{host, port} or {path}, count, kinds}]}.
// Who is cut off comes again, until the first line on stdin; all are closed when stdin ends.
import { connect } from 'node:net';

const DRIP_MS = 3_000;
const TICK_MS = 100;
const AGAIN_MS = 250;
/** Opened at once: more overflow the queue of what listens. */
const AT_ONCE = 200;
/** What each kind sends first; what drips byte by byte never comes to its end. */
const KINDS = {
  idle: { first: '', drip: '' },
  asked: { first: 'GET /livez HTTP/1.1\r\nHost: x\r\n\r\n', drip: '' },
  head: { first: 'GET /livez HTTP/1.1\r\nHost: x\r\nX-Slow: ', drip: 'a' },
  body: {
    first:
      'POST /v1/tenants/acme/encrypt HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n' +
      'Content-Length: 1000\r\n\r\n{',
    drip: ' ',
  },
  // The head of a TLS record of 512 bytes that never come.
  hello: { first: '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03', drip: 'a' },
};

const { doors } = JSON.parse(process.argv[2]);
const open = new Set();
let coming = true;

function start(door, at) {
  const kind = KINDS[door.kinds[at % door.kinds.length]];
  // A door lets one peer have a part of its connections only.
  const localAddress = door.path === undefined ? `127.0.0.${2 + (at % 4)}` : undefined;
  const { host, port, path } = door;
  const socket = connect(path === undefined ? { host, port, localAddress } : { path });
  socket.on('error', () => undefined);
  socket.on('close', () => {
    open.delete(socket);
    if (coming) setTimeout(() => start(door, at), AGAIN_MS);
  });
  // What is answered is taken and thrown away; its own side stays open as long as it is let.
  socket.resume();
  socket.on('connect', () => {
    open.add(socket);
    if (kind.first !== '') socket.write(kind.first, 'latin1');
    socket.drip = kind.drip;
  });
}

let turn = 0;
const turns = DRIP_MS / TICK_MS;
setInterval(() => {
  let at = 0;
  turn = (turn + 1) % turns;
  for (const socket of open)
    if (at++ % turns === turn && socket.drip !== '' && socket.writable) socket.write(socket.drip);
}, TICK_MS);
process.stdin.on('data', () => (coming = false)).on('end', () => process.exit(0));

for (const door of doors)
  for (let at = 0; at < door.count; at += AT_ONCE) {
    for (let n = at; n < Math.min(door.count, at + AT_ONCE); n += 1) start(door, n);
    await new Promise((resolve) => setTimeout(resolve, 40));
  }
