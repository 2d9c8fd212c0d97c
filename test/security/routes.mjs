// The product as it is, with a list of what its HTTP router holds: node routes.mjs OUT.json
import { subscribe } from 'node:diagnostics_channel';
import { writeFileSync } from 'node:fs';

const routes = [];
subscribe('fastify.initialization', ({ fastify }) => {
  fastify.addHook('onRoute', ({ method, url }) => {
    for (const each of [method].flat()) routes.push(`${each} ${url}`);
  });
});
const { startStandalone } = await import('../../dist/apps/standalone/standalone.js');
const running = await startStandalone(process.env);
writeFileSync(process.argv[2], JSON.stringify(routes));
process.on('SIGTERM', () => void running.stop().then(() => process.exit(0)));
