import { LIMITS, type OneOrMore } from '@kcm/kernel';
import { InvalidMessage, MessageTooLarge } from './errors.js';
import { deadLetterTopic, type Message } from './messaging.js';

const TOPIC = /^[A-Za-z0-9._-]+$/;
const TOPIC_CHARS_MAX = 249;
const HEADER = /^(?!kcm-)[a-z0-9-]{1,64}$/;

/** What every adapter refuses before it sends anything. @throws InvalidMessage · MessageTooLarge */
export function assertPublishable(batch: OneOrMore<Message>): void {
  for (const message of batch) {
    assertTopic(message.topic);
    const headers = Object.entries(message.headers);
    if (!isName(message.key)) throw new InvalidMessage('A key has 1 to 1,024 bytes.');
    if (!isName(message.id)) throw new InvalidMessage('An id has 1 to 1,024 bytes.');
    const wrong = headers.find(([name]) => !HEADER.test(name));
    if (wrong !== undefined)
      throw new InvalidMessage('A header has a name of a-z, 0-9 and "-" that is not kcm-….');
    if (headers.length > LIMITS.messageHeadersMax || sum(headers) > LIMITS.messageHeadersBytesMax)
      throw new MessageTooLarge(message.topic);
    if (bytesOf(message) > LIMITS.messageBytesMax) throw new MessageTooLarge(message.topic);
  }
}

/** Also leaves room for the name of its dead-letter topic. @throws InvalidMessage */
export function assertTopic(topic: string): void {
  const good = TOPIC.test(topic) && topic !== '.' && topic !== '..';
  if (!good || deadLetterTopic(topic).length > TOPIC_CHARS_MAX)
    throw new InvalidMessage('A topic has a name of letters, digits, ".", "_" and "-".');
}

export const bytesOf = (message: Message): number =>
  Buffer.byteLength(message.key) +
  Buffer.byteLength(message.id) +
  sum(Object.entries(message.headers)) +
  message.body.byteLength;

const sum = (headers: readonly (readonly [string, string])[]): number =>
  headers.reduce((all, [name, value]) => all + name.length + Buffer.byteLength(value), 0);

function isName(text: string): boolean {
  const bytes = Buffer.byteLength(text);
  return bytes > 0 && bytes <= LIMITS.messageKeyBytesMax;
}
