// A DOUBLE of EventStoreDB's wire in a process of its own: it speaks the protocol with the client's
// generated definitions and keeps everything in memory. It shows how the client and the adapter use
// the wire; what a real server does is its own to show. Several stores, each at a port of its own.
import { Service } from './service.mjs';
import { grpc, ServerFeaturesService, StreamsService, supported } from './wire.mjs';

const servers = new Map();

async function listen(service, port) {
  const server = new grpc.Server({ 'grpc.max_receive_message_length': 17 * 1024 * 1024 });
  server.addService(StreamsService, service.methods);
  server.addService(ServerFeaturesService, {
    getSupportedMethods: (_call, done) => done(null, supported()),
  });
  const bound = await new Promise((resolve, reject) => {
    const insecure = grpc.ServerCredentials.createInsecure();
    server.bindAsync(`127.0.0.1:${port}`, insecure, (error, at) =>
      error === null ? resolve(at) : reject(error),
    );
  });
  servers.set(bound, { server, service });
  return bound;
}

const commands = {
  start: () => listen(new Service(), 0),
  stop: ({ port }) => {
    servers.get(port).server.forceShutdown();
    servers.delete(port);
  },
  /** All connections are cut and none is taken for so long; what was stored stays. */
  restart: async ({ port, ms }) => {
    const { server, service } = servers.get(port);
    server.forceShutdown();
    await new Promise((resolve) => setTimeout(resolve, ms));
    await listen(service, port);
  },
  fault: ({ port, fault, times }) => void servers.get(port).service.faults.set(fault, times),
  cut: ({ port }) => servers.get(port).service.cut(),
};

async function obey({ n, command, ...rest }) {
  try {
    process.send({ n, answer: (await commands[command](rest)) ?? null });
  } catch (error) {
    process.send({ n, error: String(error) });
  }
}
process.on('message', (message) => void obey(message));
process.on('disconnect', () => process.exit(0));
