import { LIMITS } from './limits.js';

const CORRELATION_ID = /^[A-Za-z0-9][A-Za-z0-9._:-]*$/;

/** What came as a caller's correlation id where it can be one at every door, else undefined. */
export const correlationIdOf = (given: unknown): string | undefined =>
  typeof given === 'string' &&
  given.length <= LIMITS.correlationIdCharsMax &&
  CORRELATION_ID.test(given)
    ? given
    : undefined;
