import { CATEGORIES, type Category, type OneOrMore } from '@kcm/kernel';

/** What the relay sends where; partitions and retention are those of kafka/topics.json. */
export interface RelayedTopic {
  readonly name: string;
  /** The attribute of the CloudEvent that is the message's key. */
  readonly key: 'subject' | 'kcmtenant';
  /** Of the streams whose events it carries. */
  readonly categories: OneOrMore<Category>;
}

export const TOPICS = {
  events: { name: 'kcm.events.v1', key: 'subject', categories: CATEGORIES },
  revocations: {
    name: 'kcm.revocations.v1',
    key: 'kcmtenant',
    categories: ['access', 'revocation'],
  },
} as const satisfies Record<string, RelayedTopic>;
