import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { limitConnections } from './connections.js';

describe('Connections', () => {
  let server: Server;
  const sockets: Socket[] = [];
  const listen = async (max: number, perNetworkMax: number, proxy = ''): Promise<void> => {
    server = createServer();
    limitConnections(server, { max, perNetworkMax, many: (address) => address === proxy });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  };
  /** Whether it is let in, which is known once the server had time to close it. */
  async function open(localAddress: string): Promise<boolean> {
    const { port } = server.address() as AddressInfo;
    const socket = connect({ host: '127.0.0.1', port, localAddress });
    sockets.push(socket);
    socket.on('error', () => undefined);
    const closed = new Promise<boolean>((resolve) => socket.once('close', () => resolve(false)));
    return Promise.race([closed, sleep(100, true)]);
  }
  afterEach(async () => {
    for (const socket of sockets.splice(0)) socket.destroy();
    await new Promise((resolve) => server.close(resolve));
  });

  it('of one peer leave room for another’s, and one that goes makes room', async () => {
    await listen(100, 2);
    const same = [await open('127.0.0.2'), await open('127.0.0.2'), await open('127.0.0.2')];
    expect(same).toEqual([true, true, false]);
    expect(await open('127.0.0.3')).toBe(true);
    sockets[0]!.destroy();
    await sleep(50);
    expect(await open('127.0.0.2')).toBe(true);
  });

  it('of a proxy are those of many', async () => {
    await listen(100, 1, '127.0.0.2');
    expect([await open('127.0.0.2'), await open('127.0.0.2')]).toEqual([true, true]);
    expect([await open('127.0.0.3'), await open('127.0.0.3')]).toEqual([true, false]);
  });

  it('are limited in all', async () => {
    await listen(2, 2);
    expect([await open('127.0.0.2'), await open('127.0.0.3')]).toEqual([true, true]);
    expect(await open('127.0.0.4')).toBe(false);
  });
});
