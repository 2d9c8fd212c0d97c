import { KcmError } from '@kcm/kernel';
import { startStandalone } from './standalone.js';
import { welcome } from './welcome.js';

try {
  const running = await startStandalone(process.env);
  process.stdout.write(welcome(running));
  let stopping = false;
  const stop = (): void => {
    // A second signal while stopping: at once.
    if (stopping) process.exit(1);
    stopping = true;
    running.stop().then(
      () => process.exit(0),
      (error: unknown) => {
        process.stderr.write(`OpenKCM did not stop cleanly: ${String(error)}\n`);
        process.exit(1);
      },
    );
  };
  process.on('SIGTERM', stop);
  process.on('SIGINT', stop);
} catch (error) {
  const reason = error instanceof Error ? error.message : String(error);
  process.stderr.write(`OpenKCM did not start. ${reason}\n`);
  if (!(error instanceof KcmError) && error instanceof Error) {
    process.stderr.write(`${error.stack ?? ''}\n`);
  }
  process.exit(error instanceof KcmError && error.code === 'invalid_request' ? 2 : 1);
}
