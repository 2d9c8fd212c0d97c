import { KcmError } from '@kcm/kernel';

export class InvalidMessage extends KcmError {
  constructor(detail: string) {
    super('invalid_request', detail);
  }
}
export class MessageTooLarge extends KcmError {
  constructor(topic: string, cause?: unknown) {
    super('payload_too_large', `A message to ${topic} is too large.`, { cause });
  }
}
export class TopicUnknown extends KcmError {
  constructor(topic: string, cause?: unknown) {
    super('not_found', `There is no topic ${topic}.`, { cause });
  }
}
/** Nobody answers, or not in time: may be otherwise in a moment. */
export class MessagingUnavailable extends KcmError {
  constructor(detail: string, cause?: unknown) {
    super('messaging_unavailable', detail, { cause });
  }
}
/** The broker says no: credentials or rights. */
export class MessagingRefused extends KcmError {
  constructor(detail: string, cause?: unknown) {
    super('forbidden', detail, { cause });
  }
}
/** What comes next to a stored offset is no longer kept: messages would be missed in silence. */
export class MessagesGone extends KcmError {
  constructor(topic: string, partition: number) {
    super(
      'integrity',
      `Messages of ${topic} (partition ${partition}) after the stored offset are no longer kept.`,
    );
  }
}
