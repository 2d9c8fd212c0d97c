import { KcmError } from '@kcm/kernel';
import { MessageTooLarge, MessagingRefused, MessagingUnavailable, TopicUnknown } from '../index.js';

const UNKNOWN = new Set(['UNKNOWN_TOPIC_OR_PARTITION', 'INVALID_TOPIC_EXCEPTION']);
const LARGE = new Set(['MESSAGE_TOO_LARGE', 'RECORD_LIST_TOO_LARGE']);
const REFUSED = new Set([
  'TOPIC_AUTHORIZATION_FAILED',
  'GROUP_AUTHORIZATION_FAILED',
  'CLUSTER_AUTHORIZATION_FAILED',
  'TRANSACTIONAL_ID_AUTHORIZATION_FAILED',
  'SASL_AUTHENTICATION_FAILED',
  'KafkaJSSASLAuthenticationError',
]);

/** What a failure of the client means for us: the first cause that says something. */
export function kafkaError(error: unknown, topic: string, brokers: readonly string[]): KcmError {
  if (error instanceof KcmError) return error;
  for (const name of namesOf(error)) {
    if (UNKNOWN.has(name)) return new TopicUnknown(topic, error);
    if (LARGE.has(name)) return new MessageTooLarge(topic, error);
    if (REFUSED.has(name))
      return new MessagingRefused(`Kafka does not let us use ${topic} (${name}).`, error);
  }
  const detail = `Kafka at ${brokers.join(', ')} does not answer, or not as it should.`;
  return new MessagingUnavailable(detail, error);
}

/** Protocol types and names of classes, from the outermost inwards. */
function namesOf(error: unknown): string[] {
  const names: string[] = [];
  let at: unknown = error;
  for (let depth = 0; depth < 8 && typeof at === 'object' && at !== null; depth += 1) {
    const { type, name, cause } = at as { type?: unknown; name?: unknown; cause?: unknown };
    if (typeof type === 'string') names.push(type);
    if (typeof name === 'string') names.push(name);
    at = cause;
  }
  return names;
}
