import { type KcmError, readTextFile } from '@kcm/kernel';
import { UsageError } from './failures.js';

/** Also of a pipe, as of `<(…)`. @throws UsageError that names the file */
export function readText(file: string): string {
  try {
    return readTextFile(file, { pipes: true });
  } catch (error) {
    throw new UsageError((error as KcmError).message);
  }
}

/** A JSON object. @throws UsageError that names the file, and says nothing of what is in it */
export function readObject(file: string): object {
  let value: unknown;
  try {
    value = JSON.parse(readText(file));
  } catch (error) {
    if (error instanceof UsageError) throw error;
  }
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value;
  throw new UsageError(`${file} does not hold a JSON object.`);
}
