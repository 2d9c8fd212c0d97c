import type { KeyObject } from 'node:crypto';
import type { Secret } from '@kcm/crypto';
import type { EventData } from '@kcm/kernel';
import type { AnyEvent } from './events.js';

type Fits<T> = { readonly value: T } extends EventData ? true : false;
type EachFits<E> = E extends { readonly data: infer D }
  ? D extends EventData
    ? true
    : 'an event type holds more than JSON'
  : never;

// The annotations are the test: a type check fails where a value is not the one that the type says.
const fits: {
  secret: Fits<Secret>;
  keyObject: Fits<KeyObject>;
  buffer: Fits<Buffer>;
  bytes: Fits<Uint8Array>;
  nested: Fits<{ readonly deep: readonly [Secret] }>;
  text: Fits<string>;
  json: Fits<{ readonly a: readonly (number | null)[] }>;
} = {
  secret: false,
  keyObject: false,
  buffer: false,
  bytes: false,
  nested: false,
  text: true,
  json: true,
};
const every: EachFits<AnyEvent> = true;

describe('events', () => {
  it('hold JSON only: no event type can carry a Secret, a KeyObject or bytes', () => {
    expect(every).toBe(true);
    expect(Object.entries(fits).filter(([, fit]) => fit)).toEqual([
      ['text', true],
      ['json', true],
    ]);
  });
});
