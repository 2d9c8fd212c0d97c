import { KcmError, type Random, readTextFile, systemScheduler } from '@kcm/kernel';
import { PerTopic, type Publisher } from '@kcm/messaging';
import type { Config } from '../config.js';

/**
 * A broker that is not there yet is waited for by who publishes; one that refuses us is not.
 * @throws KcmError invalid_request (an address or a file) · forbidden: who we are is refused
 */
export async function openOutbox(
  config: Config,
  random: Random,
  told: (error: unknown) => void,
): Promise<{ readonly publisher: Publisher | null; close(): Promise<void> }> {
  const { KCM_MESSAGING: url } = config;
  if (url === 'memory:') return { publisher: null, close: async () => {} };
  const { KafkaMessaging, kafkaOptions } = await import('@kcm/messaging/kafka');
  const server = named(() =>
    kafkaOptions(url, {
      ca: pem(config.KCM_MESSAGING_CA),
      certificate: pem(config.KCM_MESSAGING_CERT),
      privateKey: pem(config.KCM_MESSAGING_KEY),
    }),
  );
  const scheduler = systemScheduler;
  const connection = () =>
    new KafkaMessaging({ ...server, clientId: 'openkcm', random, scheduler, told });
  const first = connection();
  try {
    await first.connect({ publishes: true });
  } catch (error) {
    if (!(error instanceof KcmError) || error.code !== 'messaging_unavailable')
      throw named(() => {
        throw error;
      });
    told(error);
  } finally {
    await first.close();
  }
  const publisher = new PerTopic(connection);
  return { publisher, close: () => publisher.close() };
}

/** PEM, or the file that holds it. */
const pem = (given: string | undefined): string | undefined =>
  given === undefined || given.includes('-----BEGIN') ? given : readTextFile(given);

/** What is wrong is said with the setting that names it. */
function named<T>(act: () => T): T {
  try {
    return act();
  } catch (error) {
    if (!(error instanceof KcmError)) throw error;
    throw new KcmError(error.code, `KCM_MESSAGING: ${error.message}`, { cause: error });
  }
}
