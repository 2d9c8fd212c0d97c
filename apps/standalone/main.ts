import { KcmError, stopOnSignal } from '@kcm/kernel';
import { startStandalone } from './standalone.js';
import { welcome } from './welcome.js';

try {
  const running = await startStandalone(process.env);
  process.stdout.write(welcome(running));
  stopOnSignal(
    () => running.stop(),
    (error) => process.stderr.write(`OpenKCM did not stop cleanly: ${String(error)}\n`),
  );
} catch (error) {
  const reason = error instanceof Error ? error.message : String(error);
  process.stderr.write(`OpenKCM did not start. ${reason}\n`);
  if (!(error instanceof KcmError) && error instanceof Error) {
    process.stderr.write(`${error.stack ?? ''}\n`);
  }
  process.exit(error instanceof KcmError && error.code === 'invalid_request' ? 2 : 1);
}
