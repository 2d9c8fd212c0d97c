// A DOUBLE of EventStoreDB's wire in a process of its own: it speaks the protocol with the client's
// generated definitions and keeps everything in memory. It shows how the client and the adapter use
// the wire; what a real server does is its own to show. Several stores, each at a port of its own.
import { Service } from './service.mjs';
import { failure, grpc, ServerFeaturesService, StreamsService, supported } from './wire.mjs';

const servers = new Map();

async function listen(service, port, options) {
  const server = new grpc.Server({ 'grpc.max_receive_message_length': 17 * 1024 * 1024 });
  const { tls, user, version, lacks = [] } = options;
  const methods = Object.entries(service.methods).filter(([name]) => !lacks.includes(name));
  const guarded = methods.map(([name, method]) => [name, guard(method, user)]);
  server.addService(StreamsService, Object.fromEntries(guarded));
  if (version !== null)
    server.addService(ServerFeaturesService, {
      getSupportedMethods: (_call, done) => done(null, supported(version)),
    });
  const bound = await new Promise((resolve, reject) => {
    const credentials =
      tls === undefined
        ? grpc.ServerCredentials.createInsecure()
        : grpc.ServerCredentials.createSsl(null, [
            { cert_chain: Buffer.from(tls.certificate), private_key: Buffer.from(tls.privateKey) },
          ]);
    server.bindAsync(`127.0.0.1:${port}`, credentials, (error, at) =>
      error === null ? resolve(at) : reject(error),
    );
  });
  servers.set(bound, { server, service, options });
  return bound;
}

/** A call of anybody but `user` (name:password) is refused, where there are users. */
function guard(method, user) {
  if (user === undefined) return method;
  const expected = `Basic ${Buffer.from(user).toString('base64')}`;
  return (call, done) => {
    if (call.metadata.get('authorization')[0] === expected) return method(call, done);
    const refusal = failure(grpc.status.UNAUTHENTICATED);
    return done === undefined ? call.emit('error', refusal) : done(refusal);
  };
}

const commands = {
  start: ({ options }) => listen(new Service(), 0, options),
  stop: ({ port }) => {
    servers.get(port).server.forceShutdown();
    servers.delete(port);
  },
  /** All connections are cut and none is taken for so long; what was stored stays. */
  restart: async ({ port, ms }) => {
    const { server, service, options } = servers.get(port);
    server.forceShutdown();
    await new Promise((resolve) => setTimeout(resolve, ms));
    await listen(service, port, options);
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
