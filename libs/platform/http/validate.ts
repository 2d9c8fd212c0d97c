import { type FieldError, KcmError } from '@kcm/kernel';
import { z, type ZodType } from 'zod';

/** One line for people to read: a terminal or a log takes it as it is. */
export const lineOfText = (charsMax: number) =>
  z
    .string()
    .min(1)
    .max(charsMax)
    // C0 and C1 by number: the pattern stands in the OpenAPI document, for any language to read.
    // oxlint-disable-next-line no-control-regex
    .regex(/^[^\u0000-\u001f\u007f-\u009f]*$/, 'must not hold control characters');

const pathOf = (prefix: string, path: readonly PropertyKey[]) =>
  [prefix, ...path.map(String)].filter(Boolean).join('.') || 'body';

function fieldErrors(prefix: string, issues: readonly z.core.$ZodIssue[]): FieldError[] {
  return issues.flatMap((issue) => {
    if (issue.code === 'unrecognized_keys') {
      return issue.keys.map((key) => ({
        path: pathOf(prefix, [...issue.path, key]),
        code: 'unknown_field',
        detail: 'no such field',
      }));
    }
    // Of several forms that a value may have, the one that it comes nearest to.
    const forms = issue.code === 'invalid_union' ? issue.errors : [];
    const [nearest] = forms.filter((form) => form.length > 0).sort((a, b) => a.length - b.length);
    const at = pathOf(prefix, issue.path);
    if (nearest !== undefined) return fieldErrors(at === 'body' ? '' : at, nearest);
    return [{ path: at, code: issue.code, detail: issue.message }];
  });
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
