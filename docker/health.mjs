// The image's health check: whether the program of this container answers /livez. It asks at
// loopback and sends nothing, so a certificate that is not made for loopback is no reason to doubt.
import { readFileSync } from 'node:fs';
import { request as http } from 'node:http';
import { request as https } from 'node:https';
import { join } from 'node:path';

const TIMEOUT_MS = 4_000;
const { KCM_CORE, KCM_TLS_CERT, KCM_HTTP_PORT = '8080', KCM_DATA_DIR = '.kcm' } = process.env;

/** An Edge (it alone has KCM_CORE) listens on sockets only. */
function options() {
  if (KCM_CORE === undefined) return { host: '127.0.0.1', port: KCM_HTTP_PORT };
  const { edgeSockets } = JSON.parse(readFileSync(join(KCM_DATA_DIR, 'endpoints.json'), 'utf8'));
  return { socketPath: Object.values(edgeSockets)[0] };
}

function unhealthy(error) {
  process.stderr.write(`${error.message}\n`);
  process.exit(1);
}

try {
  const send = KCM_CORE === undefined && KCM_TLS_CERT !== undefined ? https : http;
  const tls = { rejectUnauthorized: false };
  const asked = send({ ...options(), ...tls, path: '/livez', timeout: TIMEOUT_MS }, (answer) => {
    if (answer.statusCode !== 200) unhealthy(new Error(`/livez answers ${answer.statusCode}`));
    process.exit(0);
  });
  asked.on('timeout', () => unhealthy(new Error(`no answer within ${TIMEOUT_MS} ms`)));
  asked.on('error', unhealthy);
  asked.end();
} catch (error) {
  unhealthy(error);
}
