import { readFileSync } from 'node:fs';
import { UsageError } from './failures.js';

/** @throws UsageError that names the file */
export function readText(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new UsageError(`Cannot read ${file} (${code ?? 'failed'}).`);
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
