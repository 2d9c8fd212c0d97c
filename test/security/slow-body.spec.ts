import { setTimeout as sleep } from 'node:timers/promises';
import { sendRaw } from '../support/raw.js';
import { removeFolder, scratchFolder, Server } from '../support/server.js';

const folder = scratchFolder('slow-body');
const server = new Server(folder);

beforeAll(async () => {
  await server.start();
}, 60_000);

afterAll(async () => {
  await server.stop();
  removeFolder(folder);
});

it('a body that comes too slowly is refused by name; nothing of it, or of half-sent ones, is kept', async () => {
  await server.must('POST', '/v1/tenants', { body: { id: 'acme', name: 'Acme' } });
  const reader = await server.tokenFor('acme', ['auditor'], 'reader');
  const admin = await server.tokenFor('acme', ['tenant-admin'], 'anna');
  const last = async (): Promise<unknown> => {
    const path = '/v1/tenants/acme/audit?order=desc&limit=1';
    return (await server.ask('GET', path, { token: reader })).body['items'];
  };
  const before = await last();
  const head =
    `POST /v1/tenants/acme/services HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${admin}\r\n` +
    'Content-Type: application/json\r\nContent-Length: 500\r\n\r\n{"id":';
  const half = Array.from({ length: 50 }, () => sendRaw(server.url, head, 200));
  expect(await Promise.all(half)).toEqual(Array.from({ length: 50 }, () => ''));
  const said = await sendRaw(server.url, head, 45_000);
  expect(said).toMatch(/^HTTP\/1\.1 408 [^]*"code":"request_timeout"/);
  await sleep(200);
  expect(await last()).toEqual(before);
  const services = await server.ask('GET', '/v1/tenants/acme/services', { token: admin });
  expect(services.body['items']).toEqual([]);
}, 90_000);
