import { KcmError, stopOnSignal, takenPort } from '@kcm/kernel';
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
  const taken = takenPort(error);
  const message = error instanceof Error ? error.message : String(error);
  const remedy = 'stop what runs there, or set KCM_HTTP_PORT or KCM_KMIP_PORT (0: a free one).';
  const reason = taken === null ? message : `Port ${taken} is taken: ${remedy}`;
  process.stderr.write(`OpenKCM did not start. ${reason}\n`);
  if (!(error instanceof KcmError) && taken === null && error instanceof Error) {
    process.stderr.write(`${error.stack ?? ''}\n`);
  }
  process.exit(error instanceof KcmError && error.code === 'invalid_request' ? 2 : 1);
}
