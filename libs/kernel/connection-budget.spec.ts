import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { ConnectionBudget, openFilesMax } from './connection-budget.js';
import { LIMITS } from './limits.js';

describe('The connections of a process', () => {
  const servers: Server[] = [];
  const sockets: Socket[] = [];
  async function door(budget: ConnectionBudget, max: number): Promise<Server> {
    const server = createServer();
    servers.push(server);
    budget.guard(server, max);
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return server;
  }
  /** Whether it is let in: one that is not is closed before the next one is looked at. */
  async function open(server: Server): Promise<boolean> {
    const { port } = server.address() as AddressInfo;
    const socket = connect({ host: '127.0.0.1', port });
    sockets.push(socket);
    socket.on('error', () => undefined);
    const closed = new Promise<boolean>((resolve) => socket.once('close', () => resolve(false)));
    const after = new Promise<boolean>((resolve) => setTimeout(() => resolve(true), 50));
    return Promise.race([closed, after]);
  }
  async function times(server: Server, count: number): Promise<number> {
    let taken = 0;
    for (let n = 0; n < count; n += 1) taken += (await open(server)) ? 1 : 0;
    return taken;
  }
  afterEach(async () => {
    for (const socket of sockets.splice(0)) socket.destroy();
    for (const server of servers.splice(0)) await new Promise((resolve) => server.close(resolve));
  });

  it('are fewer than its open files, and a flood at one door leaves the others their share', async () => {
    const budget = new ConnectionBudget(36);
    const [flooded, other, third] = [
      await door(budget, 100),
      await door(budget, 100),
      await door(budget, 100),
    ];
    // Half is for files; of the other 18 a third is guaranteed: two for each.
    expect(await times(flooded, 20)).toBe(14);
    expect(await times(other, 3)).toBe(2);
    expect(await times(third, 3)).toBe(2);
    for (const socket of sockets.splice(0)) socket.destroy();
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(await times(other, 3)).toBe(3);
  });

  it('of a door that is closed leave their share to the others', async () => {
    const budget = new ConnectionBudget(12);
    const [flooded, other] = [await door(budget, 100), await door(budget, 100)];
    expect(await times(flooded, 7)).toBe(5);
    await new Promise((resolve) => other.close(resolve));
    servers.splice(servers.indexOf(other), 1);
    expect(await times(flooded, 2)).toBe(1);
  });

  it('have the limit of the door itself', async () => {
    const server = await door(new ConnectionBudget(Infinity), 2);
    expect(await times(server, 3)).toBe(2);
  });

  it('are told of where there are few', () => {
    expect(new ConnectionBudget(LIMITS.openFilesGood).reasons()).toEqual([]);
    expect(new ConnectionBudget(1_024).reasons()).toMatchObject([
      { level: 'degraded', code: 'open_files_low' },
    ]);
  });

  it('come out of what the system lets this process open', () => {
    expect(openFilesMax()).toBeGreaterThan(100);
  });
});
