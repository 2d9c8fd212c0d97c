import { type FieldError, type Json, KcmError } from '@kcm/kernel';
import type { FieldSpec } from './keystore.js';

export type Fields = { readonly [field: string]: Json | undefined };
/** What one field must look like; null when it does, else a sentence. */
export type FieldRule = (value: string) => string | null;
export type FieldRules = { readonly [field: string]: FieldRule };

/**
 * Checks reference and credentials against a driver's fields: unknown, missing, wrong, all at once,
 * with paths `reference.x` and `credentials.x`. Every field of a keystore is a string.
 */
export function checkFields(
  specs: readonly FieldSpec[],
  rules: FieldRules,
  reference: Json,
  credentials: Json | null,
): FieldError[] {
  return [
    ...checkPart('reference', specs, rules, reference, false),
    ...checkPart('credentials', specs, rules, credentials ?? {}, true),
  ];
}

function checkPart(
  part: 'reference' | 'credentials',
  specs: readonly FieldSpec[],
  rules: FieldRules,
  value: Json,
  secret: boolean,
): FieldError[] {
  if (value === null || typeof value !== 'object' || Array.isArray(value))
    return [{ path: part, code: 'invalid', detail: `${part} must be an object` }];
  const fields = value as Fields;
  const mine = specs.filter((spec) => spec.secret === secret);
  const errors: FieldError[] = [];
  for (const name of Object.keys(fields))
    if (!mine.some((spec) => spec.name === name))
      errors.push({ path: `${part}.${name}`, code: 'unknown_field', detail: 'no such field' });
  for (const { name, required, description } of mine) {
    const path = `${part}.${name}`;
    const given = fields[name];
    if (given === undefined) {
      if (required) errors.push({ path, code: 'required', detail: description });
    } else if (typeof given !== 'string') {
      errors.push({ path, code: 'invalid', detail: 'must be a string' });
    } else {
      const wrong = rules[name]?.(given) ?? null;
      if (wrong !== null) errors.push({ path, code: 'invalid', detail: wrong });
    }
  }
  return errors;
}

/** @throws KcmError invalid_request with all `errors`; what open() does before it goes anywhere. */
export function assertFields(errors: readonly FieldError[]): void {
  if (errors.length > 0)
    throw new KcmError('invalid_request', 'The reference of the root key is not usable.', {
      errors,
    });
}

/** The string of a field, or null when absent. Only after checkFields. */
export const textOf = (fields: Fields, name: string): string | null => {
  const value = fields[name];
  return typeof value === 'string' ? value : null;
};

/** An http(s) base URL without credentials, query or fragment; at most 512 characters. */
export const baseUrlRule: FieldRule = (value) => {
  if (value.length > 512 || !URL.canParse(value)) return 'must be an http or https URL';
  const url = new URL(value);
  if (url.protocol !== 'http:' && url.protocol !== 'https:') return 'must be an http or https URL';
  if (url.username !== '' || url.password !== '') return 'must hold no user name or password';
  if (url.search !== '' || url.hash !== '' || /[?#]/.test(value)) return 'must hold no ? or #';
  return null;
};

/** Printable ASCII without spaces, as an HTTP header can carry it. */
export const tokenRule: FieldRule = (value) =>
  /^[\x21-\x7e]{1,4096}$/.test(value) ? null : 'must be 1 to 4096 printable characters';
