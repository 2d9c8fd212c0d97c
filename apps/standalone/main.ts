import { KcmError, printableText, stopOnSignal, takenPort } from '@kcm/kernel';
import { startStandalone } from './standalone.js';
import { welcome } from './welcome.js';

/** A path or a setting may hold anything. */
const say = (text: string) => process.stderr.write(`${printableText(text)}\n`);

try {
  const running = await startStandalone(process.env);
  process.stdout.write(printableText(welcome(running)));
  stopOnSignal(
    () => running.stop(),
    (error) => say(`OpenKCM did not stop cleanly: ${String(error)}`),
  );
} catch (error) {
  const taken = takenPort(error);
  const message = error instanceof Error ? error.message : String(error);
  const remedy = 'stop what runs there, or set KCM_HTTP_PORT or KCM_KMIP_PORT (0: a free one).';
  const reason = taken === null ? message : `Port ${taken} is taken: ${remedy}`;
  say(`OpenKCM did not start. ${reason}`);
  if (!(error instanceof KcmError) && taken === null && error instanceof Error) {
    say(error.stack ?? '');
  }
  process.exit(error instanceof KcmError && error.code === 'invalid_request' ? 2 : 1);
}
