import { KcmError } from '@kcm/kernel';
import { MessageTooLarge, MessagingRefused, MessagingUnavailable, TopicUnknown } from '../index.js';

const UNKNOWN = new Set(['UNKNOWN_TOPIC_OR_PARTITION', 'INVALID_TOPIC_EXCEPTION']);
const LARGE = new Set(['MESSAGE_TOO_LARGE', 'RECORD_LIST_TOO_LARGE']);
/** Rights; without those of a publisher a consumer works all the same. */
const FORBIDDEN = new Set([
  'TOPIC_AUTHORIZATION_FAILED',
  'GROUP_AUTHORIZATION_FAILED',
  'CLUSTER_AUTHORIZATION_FAILED',
  'TRANSACTIONAL_ID_AUTHORIZATION_FAILED',
]);
const LOGIN = new Set([
  'SASL_AUTHENTICATION_FAILED',
  'UNSUPPORTED_SASL_MECHANISM',
  'KafkaJSSASLAuthenticationError',
]);
const OLD = new Set(['KafkaJSServerDoesNotSupportApiKey']);
/** What Node says of a certificate that it does not take. */
const STRANGER = /^(UNABLE_TO_|CERT_|SELF_SIGNED_|DEPTH_ZERO_|INVALID_CA$|ERR_TLS_CERT_)/;
/** What a broker answers to ours, or to none. */
const UNWANTED = /^ERR_SSL_.*ALERT.*(CERTIFICATE|UNKNOWN_CA|ACCESS_DENIED|HANDSHAKE_FAILURE)/;

/** What a failure of the client means for us: the first cause that says something. */
export function kafkaError(error: unknown, topic: string, brokers: readonly string[]): KcmError {
  if (error instanceof KcmError) return error;
  const at = `Kafka at ${brokers.join(', ')}`;
  const names = namesOf(error);
  for (const name of names) {
    if (UNKNOWN.has(name)) return new TopicUnknown(topic, error);
    if (LARGE.has(name)) return new MessageTooLarge(topic, error);
    if (FORBIDDEN.has(name))
      return new MessagingRefused(`Kafka does not let us use ${topic} (${name}).`, error);
    if (LOGIN.has(name)) return new MessagingRefused(`${at} refuses the credentials.`, error);
    if (OLD.has(name))
      return new MessagingUnavailable(`${at} is too old: 0.11 or newer is needed.`, error);
    if (STRANGER.test(name)) {
      const detail = `${at} shows a certificate that is not taken (${name}).`;
      return new MessagingUnavailable(detail, error);
    }
    if (UNWANTED.test(name)) {
      const detail = `${at} does not take our certificate, or wants one (${name}).`;
      return new MessagingRefused(detail, error);
    }
  }
  const code = names.find((name) => /^E[A-Z_]+$/.test(name));
  const detail = `${at} does not answer, or not as it should${code ? ` (${code})` : ''}.`;
  return new MessagingUnavailable(detail, error);
}

/** True where it is only rights that lack. */
export const isForbidden = (error: unknown): boolean =>
  namesOf(error).some((name) => FORBIDDEN.has(name));

/** Protocol types, codes of sockets and names of classes, from the outermost inwards. */
function namesOf(error: unknown): string[] {
  const names: string[] = [];
  let at: unknown = error;
  for (let depth = 0; depth < 8 && typeof at === 'object' && at !== null; depth += 1) {
    const { type, code, name, cause } = at as Record<string, unknown>;
    if (typeof type === 'string') names.push(type);
    if (typeof code === 'string') names.push(code);
    if (typeof name === 'string') names.push(name);
    at = cause;
  }
  return names;
}
