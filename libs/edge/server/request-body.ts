import { isUtf8 } from 'node:buffer';
import { canonicalJson, KcmError, LIMITS, type FieldError } from '@kcm/kernel';
import type { Work } from '../work.js';
import type { HttpRequest } from './http-reader.js';

type Fields = Readonly<Record<string, unknown>>;
/** What a body holds besides `context`; `rewraps`: it may ask for `rewrap` too. */
export interface BodyForm {
  readonly field: 'plaintext' | 'ciphertext' | 'wrapped';
  readonly rewraps?: true;
}

const JSON_TYPE = /^application\/json[ \t]*(;[ \t]*charset="?utf-8"?[ \t]*)?$/i;
const LONE_SURROGATE = /\p{Surrogate}/u;
const isObject = (value: unknown): value is Fields =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/**
 * `{plaintext|ciphertext|wrapped, context?, rewrap?}`.
 * @throws KcmError unsupported_media_type · invalid_request naming every wrong field
 */
export function workOfBody(request: HttpRequest, form: BodyForm): Work {
  assertJson(request);
  const bytes = onlyField(request.body, form.field);
  return bytes === null ? readWork(parsed(request), form) : { bytes, context: null };
}

/** `{context?}`; as `workOfBody`. */
export function contextOfBody(request: HttpRequest): string | null {
  assertJson(request);
  const fields = parsed(request);
  const errors = unknownIn(fields, ['context'], '');
  const context = contextOf(fields['context'], 'context', errors);
  if (errors.length > 0) throw wrong(errors);
  return context;
}

/** `{items: [{…}]}`; as `readBatch`. @throws KcmError unsupported_media_type · invalid_request */
export function batchOfBody(request: HttpRequest, form: BodyForm): readonly (Work | KcmError)[] {
  assertJson(request);
  return readBatch(parsed(request), form);
}

const OPENING = {
  plaintext: Buffer.from('{"plaintext":"'),
  ciphertext: Buffer.from('{"ciphertext":"'),
  wrapped: Buffer.from('{"wrapped":"'),
};
const CLOSING = Buffer.from('"}');

/**
 * The bytes of a body that is this one field, letter for letter, and nothing else; null: parse it.
 * Base64 has neither quote nor backslash, so what decodes strictly is the whole JSON string.
 */
function onlyField(body: Buffer, name: BodyForm['field']): Buffer | null {
  const opening = OPENING[name];
  const end = body.length - CLOSING.length;
  if (end < opening.length) return null;
  if (body.compare(opening, 0, opening.length, 0, opening.length) !== 0) return null;
  if (body.compare(CLOSING, 0, CLOSING.length, end) !== 0) return null;
  return base64(body.toString('latin1', opening.length, end));
}

function assertJson(request: HttpRequest): void {
  if (!JSON_TYPE.test(request.headers.get('content-type') ?? ''))
    throw new KcmError('unsupported_media_type', 'Send application/json.');
}

function parsed(request: HttpRequest): Fields {
  if (!isUtf8(request.body)) throw new KcmError('invalid_request', 'The body is not UTF-8.');
  let value: unknown;
  try {
    value = JSON.parse(request.body.toString('utf8'));
  } catch {
    throw new KcmError('invalid_request', 'The body is not JSON.');
  }
  if (!isObject(value)) throw new KcmError('invalid_request', 'The body is not a JSON object.');
  return value;
}

function readWork(fields: Fields, form: BodyForm): Work {
  const errors: FieldError[] = [];
  const work = workOf(fields, form, '', errors);
  if (work === null) throw wrong(errors);
  return work;
}

/**
 * `{items: [{…}]}`; an item that is wrong becomes its own refusal. @throws KcmError invalid_request
 */
function readBatch(fields: Fields, form: BodyForm): readonly (Work | KcmError)[] {
  const errors = unknownIn(fields, ['items'], '');
  const { items } = fields;
  if (!Array.isArray(items) || items.length === 0 || items.length > LIMITS.edgeBatchItemsMax)
    errors.push({
      path: 'items',
      code: 'invalid',
      detail: `a list of 1 to ${LIMITS.edgeBatchItemsMax} items`,
    });
  if (errors.length > 0) throw wrong(errors);
  return (items as readonly unknown[]).map((item, at) => {
    const itemErrors: FieldError[] = [];
    if (!isObject(item))
      itemErrors.push({ path: `items.${at}`, code: 'invalid', detail: 'an object' });
    const work = isObject(item) ? workOf(item, form, `items.${at}.`, itemErrors) : null;
    return work ?? wrong(itemErrors);
  });
}

function workOf(fields: Fields, form: BodyForm, at: string, errors: FieldError[]): Work | null {
  const { field: name, rewraps = false } = form;
  errors.push(...unknownIn(fields, [name, 'context', ...(rewraps ? ['rewrap'] : [])], at));
  const bytes = base64(fields[name]);
  if (bytes === null)
    errors.push({
      path: `${at}${name}`,
      code: fields[name] === undefined ? 'required' : 'invalid',
      detail: 'base64 (RFC 4648 §4, padded)',
    });
  const context = contextOf(fields['context'], `${at}context`, errors);
  const { rewrap = false } = rewraps ? fields : {};
  if (typeof rewrap !== 'boolean')
    errors.push({ path: `${at}rewrap`, code: 'invalid', detail: 'true or false' });
  if (errors.length > 0 || bytes === null) return null;
  return rewrap === true ? { bytes, context, rewrap } : { bytes, context };
}

/** Null: absent, or refused and named in `errors`. */
function contextOf(value: unknown, path: string, errors: FieldError[]): string | null {
  if (value === undefined) return null;
  const refuse = (detail: string): null => {
    errors.push({ path, code: 'invalid', detail });
    return null;
  };
  if (!isObject(value)) return refuse('an object of strings');
  for (const entry of Object.values(value))
    if (typeof entry !== 'string') return refuse('an object of strings');
  for (const text of Object.entries(value).flat() as string[])
    if (LONE_SURROGATE.test(text)) return refuse('text that is well-formed Unicode');
  const canonical = canonicalJson(value as Readonly<Record<string, string>>);
  if (Buffer.byteLength(canonical) > LIMITS.edgeContextBytesMax)
    return refuse(`at most ${LIMITS.edgeContextBytesMax} bytes`);
  return canonical;
}

/** Strict: Node's own decoder skips what it does not know. */
function base64(value: unknown): Buffer | null {
  if (typeof value !== 'string' || value.length % 4 !== 0) return null;
  const bytes = Buffer.from(value, 'base64');
  const padding = value.endsWith('==') ? 2 : value.endsWith('=') ? 1 : 0;
  if (bytes.length !== (value.length / 4) * 3 - padding) return null;
  return value.includes('-') || value.includes('_') ? null : bytes;
}

const unknownIn = (fields: Fields, known: readonly string[], at: string): FieldError[] =>
  Object.keys(fields)
    .filter((key) => !known.includes(key))
    .map((key) => ({ path: `${at}${key}`, code: 'unknown', detail: 'there is no such field' }));

const wrong = (errors: readonly FieldError[]): KcmError =>
  new KcmError('invalid_request', 'The request has wrong fields.', { errors });
