import { UsageError } from './failures.js';

/** @throws UsageError when the text is not a whole number, zero or more */
export function wholeNumber(text: string): number {
  const value = Number(text);
  if (/^\d+$/.test(text) && Number.isSafeInteger(value)) return value;
  throw new UsageError(`${text} is not a whole number.`);
}
