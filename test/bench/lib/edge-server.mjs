// A process of its own: one Edge socket at the given path.
import { serveEdge } from './edge-parts.mjs';

await serveEdge(process.argv[2]);
process.send('listening');
process.on('disconnect', () => process.exit(0));
