import { parseArgs } from 'node:util';
import { guardMemory, overwriteFreedMemory, stopOnSignal, takenPort } from '@kcm/kernel';

overwriteFreedMemory();
const { startKeystore } = await import('./index.js');

const USAGE = 'usage: node dist/apps/keystore/main.js --data DIR [--port N]\n';

/** The options of the command line, or null for ones that mean nothing. */
function optionsOf(args: string[]): { folder: string; port: number } | null {
  try {
    const { values } = parseArgs({
      args,
      options: { data: { type: 'string' }, port: { type: 'string', default: '8300' } },
    });
    const port = Number(values.port);
    if (values.data === undefined || !/^\d{1,5}$/.test(values.port) || port > 65_535) return null;
    return { folder: values.data, port };
  } catch {
    return null;
  }
}

const options = optionsOf(process.argv.slice(2));
if (options === null) {
  process.stderr.write(USAGE);
  process.exit(2);
}
guardMemory();
try {
  const keystore = await startKeystore(options);
  process.stderr.write(
    `Keystore of a customer, for trials: keys lie unencrypted in ${options.folder}.\n`,
  );
  process.stdout.write(`${keystore.url}\n`);
  stopOnSignal(() => keystore.close());
} catch (error) {
  const taken = takenPort(error);
  const message = error instanceof Error ? error.message : String(error);
  const remedy = 'stop what runs there, or give another with --port (0: a free one).';
  const reason = taken === null ? message : `port ${taken} is taken: ${remedy}`;
  process.stderr.write(`The keystore did not start: ${reason}\n`);
  process.exit(1);
}
