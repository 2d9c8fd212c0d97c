import { MessagingRefused } from '@kcm/messaging';
import { kafkaOptions } from './kafka-url.js';
import { securityOf } from './security.js';

describe('A log-in in plain text', () => {
  it('is not carried on to a broker elsewhere that the first one names, and that is told', () => {
    const told: unknown[] = [];
    const options = kafkaOptions('kafka://core:password@localhost:9092');
    const { socketFactory } = securityOf({ ...options, told: (error) => told.push(error) });
    const elsewhere = { host: '192.0.2.1', port: 9092, ssl: {}, onConnect: () => undefined };
    expect(() => socketFactory(elsewhere)).toThrow(MessagingRefused);
    expect(told).toEqual([expect.any(MessagingRefused)]);
    expect(String(told)).toContain('192.0.2.1:9092');
    expect(String(told)).not.toContain('password');
  });
});
