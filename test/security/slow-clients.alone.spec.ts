import { type ChildProcess, spawn } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Customer, type Onboarded, onboard } from '../support/customer.js';
import { askEdge } from '../support/edge-socket.js';
import { say } from '../support/seeded.js';
import { removeFolder, scratchFolder, Server } from '../support/server.js';

const { http, edge, kmip } = { http: 7_000, edge: 2_000, kmip: 1_000 };
const CLIENTS = http + edge + kmip;
/** Of which three in five are idle after a request, or before one on a socket: 72 s and 75 s. */
const KEPT = Math.ceil(0.6 * http) + Math.ceil(0.6 * edge);
/**
 * 204 MiB in use, and some 50 that OpenSSL and the HTTP parser ask for and never touch: an allocator
 * that overwrites what is freed fills what it gives out too.
 */
const GROWTH_BYTES_MAX = 288 * 2 ** 20;
const ASKED = 600;
const CHUNK = 100;

const folder = scratchFolder('slow');
const server = new Server(folder, { env: { KCM_EDGE_SERVICES: 'billing' } });
let customer: Customer;
let acme: Onboarded;
let good: { readonly http: () => Promise<void>; readonly edge: () => Promise<void> };

beforeAll(async () => {
  await server.start();
  customer = await Customer.open(join(folder, 'bank'));
  acme = await onboard(server, customer, 'acme', 'billing');
  const socket = server.endpoints.edgeSockets!['billing']!;
  const served = ({ status }: { readonly status: number }) => {
    if (status !== 200) throw new Error(`a good client was answered ${status}`);
  };
  const services = '/v1/tenants/acme/services';
  const encrypt = '/v1/tenants/acme/encrypt';
  good = {
    http: async () => served(await server.ask('GET', services, { token: acme.anna })),
    // A new connection each time: room for one is there too.
    edge: async () => served(await askEdge(socket, encrypt, { plaintext: 'eA==' })),
  };
}, 60_000);

afterAll(async () => {
  await server.stop();
  await customer.close();
  removeFolder(folder);
});

/**
 * The median over several stretches of each one's p99: a pause of the machine, which others use
 * too, spoils one stretch and not the figure.
 */
async function p99Of(ask: () => Promise<void>): Promise<number> {
  const figures: number[] = [];
  for (let asked = 0; asked < ASKED; asked += CHUNK) {
    const took: number[] = [];
    for (let n = 0; n < CHUNK; n += 1) {
      const started = performance.now();
      await ask();
      took.push(performance.now() - started);
    }
    figures.push(took.toSorted((a, b) => a - b)[Math.floor(CHUNK * 0.99)]!);
  }
  return figures.toSorted((a, b) => a - b)[Math.floor(figures.length / 2)]!;
}

const residentBytes = (): number =>
  Number(/^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${server.pid}/status`, 'utf8'))?.[1]) *
  1024;
const openFiles = (): number => readdirSync(`/proc/${server.pid}/fd`).length;

function slowClients(): ChildProcess {
  const at = (address: string) => {
    const [host, port] = address.split(':');
    return { host, port: Number(port) };
  };
  const { kmip: kmipAt, edgeSockets } = server.endpoints;
  const doors = [
    {
      ...at(new URL(server.url).host),
      count: http,
      kinds: ['asked', 'head', 'asked', 'body', 'asked'],
    },
    { path: edgeSockets!['billing'], count: edge, kinds: ['idle', 'head', 'idle', 'body', 'idle'] },
    { ...at(kmipAt!), count: kmip, kinds: ['idle', 'hello'] },
  ];
  const program = join(import.meta.dirname, 'slow-clients.mjs');
  return spawn(process.execPath, [program, JSON.stringify({ doors })], {
    stdio: ['pipe', 'ignore', 'inherit'],
  });
}

/** Interleaved: before, under attack, after. The attack is over when this resolves. */
async function attack(): Promise<Record<'http' | 'edge', number>> {
  const [files, memory] = [openFiles(), residentBytes()];
  const before = { http: await p99Of(good.http), edge: await p99Of(good.edge) };
  const clients = slowClients();
  try {
    let most = 0;
    await server.until(
      'all of them',
      () => (most = Math.max(most, openFiles() - files)) > 0.9 * CLIENTS,
    );
    const during = { http: await p99Of(good.http), edge: await p99Of(good.edge) };
    const grown = residentBytes() - memory;
    say(`${most} slow clients: memory +${grown >> 20} MiB`);
    expect(grown).toBeLessThan(GROWTH_BYTES_MAX);
    // They go on for ever, and do not close their side.
    clients.stdin!.write('no more\n');
    await server.until('their end', () => openFiles() - files < KEPT + 100);
    clients.stdin!.end();
    await server.until('the end of those kept alive', () => openFiles() - files < 100);
    const after = { http: await p99Of(good.http), edge: await p99Of(good.edge) };
    say(`p99 in ms: ${JSON.stringify({ before, during, after })}`);
    const ratio = (door: 'http' | 'edge') => during[door] / Math.max(before[door], after[door]);
    return { http: ratio('http'), edge: ratio('edge') };
  } finally {
    clients.kill('SIGKILL');
  }
}

it(`${CLIENTS} idle and dripping clients leave a good one its p99 within twice, cost little and are cut off`, async () => {
  // The ratio is the property, so it is asserted though it is a figure of time; on a machine that
  // others use, the second of two runs counts when the first is spoilt.
  const first = await attack();
  if (Math.max(first.http, first.edge) > 2) {
    const second = await attack();
    expect(Math.max(second.http, second.edge)).toBeLessThanOrEqual(2);
  }
  expect(readFileSync(server.log, 'utf8')).not.toMatch(/"level":(50|60)/);
}, 240_000);
