import { type ProblemBody, Refused, Unreachable } from './failures.js';

/** A response, whoever gave it. */
export interface Answer {
  readonly ok: boolean;
  readonly status: number;
  readonly type: string;
  readonly text: string;
  readonly location: string | null;
}

export async function answerOf(response: Response): Promise<Answer> {
  const type = response.headers.get('content-type') ?? '';
  const location = response.headers.get('location');
  const text = await response.text();
  return { ok: response.ok, status: response.status, type, text, location };
}

/** Somebody answers, and not as an OpenKCM of this release does. @param what has come instead */
export const unexpected = (what: string): Refused =>
  new Refused({ code: 'unexpected', detail: `What answers there is not understood: ${what}.` });

/** A JSON object that says something: nothing has no other answer. @throws Refused unexpected */
export function objectOf(text: string): object {
  const value = parsed(text);
  if (value === undefined) throw unexpected('its answer is no JSON');
  if (isObject(value) && Object.keys(value).length > 0) return value;
  throw unexpected('its answer is not what was asked for');
}

/** The result that it gives, a receipt as text. @throws Refused · Unreachable */
export function resultOf({ ok, status, type, text }: Answer): unknown {
  if (!ok) throw refusalOf(status, text);
  if (status === 204) return '';
  if (type.includes('json')) return objectOf(text);
  if (type.startsWith('application/jose') && text !== '') return text;
  throw unexpected(`it answers ${type === '' ? 'of no type' : type}`);
}

/** What a refusal says, or what it is in place of one. @param text of its body */
export function refusalOf(status: number, text: string): Refused | Unreachable {
  const problem = parsed(text);
  if (isProblem(problem)) return new Refused(problem);
  if (status >= 300 && status < 400)
    return unexpected(`it answers ${status}, and kcm does not follow elsewhere`);
  if (!PROXY.has(status)) return unexpected(`it answers ${status}`);
  const said = `Something before the server answers ${status}: the server cannot be reached.`;
  return new Unreachable(`${said} \`kcm doctor\` looks at what is here.`, true);
}
/** A proxy's own, where it says nothing of ours. */
const PROXY: ReadonlySet<number> = new Set([502, 503, 504]);

function parsed(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}

const isObject = (value: unknown): value is { readonly [name: string]: unknown } =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const isProblem = (value: unknown): value is ProblemBody =>
  isObject(value) &&
  typeof value['code'] === 'string' &&
  typeof value['detail'] === 'string' &&
  (value['errors'] === undefined ||
    (Array.isArray(value['errors']) && value['errors'].every(isObject)));
