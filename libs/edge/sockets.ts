import { join } from 'node:path';
import { KcmError, SERVICE_ID } from '@kcm/kernel';
import { assertSocketPath } from './server/edge-server.js';

/** Socket path by service. @throws KcmError naming a service or a path that cannot be */
export function edgeSockets(
  socketDir: string,
  services: readonly string[],
): Readonly<Record<string, string>> {
  const wrong = services.find((service) => !SERVICE_ID.test(service));
  if (wrong !== undefined || new Set(services).size !== services.length || services.length === 0)
    throw new KcmError('invalid_request', `services: ${wrong ?? 'one or more, each once'}`);
  const sockets = services.map((service) => [service, join(socketDir, `${service}.sock`)] as const);
  for (const [, path] of sockets) assertSocketPath(path);
  return Object.fromEntries(sockets);
}
