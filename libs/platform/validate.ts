import { type FieldError, KcmError } from '@kcm/kernel';
import type { z, ZodType } from 'zod';

const pathOf = (prefix: string, path: readonly PropertyKey[]) =>
  [prefix, ...path.map(String)].filter(Boolean).join('.');

function fieldErrors(prefix: string, issues: readonly z.core.$ZodIssue[]): FieldError[] {
  return issues.flatMap((issue) =>
    issue.code === 'unrecognized_keys'
      ? issue.keys.map((key) => ({
          path: pathOf(prefix, [...issue.path, key]),
          code: 'unknown_field',
          detail: 'no such field',
        }))
      : [{ path: pathOf(prefix, issue.path), code: issue.code, detail: issue.message }],
  );
}

export interface Part {
  /** '' for the body, so that its paths stand alone. */
  readonly prefix: string;
  readonly schema: ZodType;
  readonly value: unknown;
}

/** All wrong fields of all parts at once. @throws KcmError invalid_request */
export function validateParts(parts: readonly Part[]): unknown[] {
  const errors: FieldError[] = [];
  const values = parts.map(({ prefix, schema, value }) => {
    const parsed = schema.safeParse(value);
    if (!parsed.success) errors.push(...fieldErrors(prefix, parsed.error.issues));
    return parsed.data;
  });
  if (errors.length > 0) {
    const names = errors.map((error) => error.path).join(', ');
    throw new KcmError('invalid_request', `These fields are wrong: ${names}.`, { errors });
  }
  return values;
}
