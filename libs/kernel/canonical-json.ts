import canonicalize from 'canonicalize';

/** I-JSON (RFC 7493): what an event, a signed statement or a fingerprint may hold. */
export type Json =
  string | number | boolean | null | readonly Json[] | { readonly [key: string]: Json | undefined };

/** RFC 8785 (JCS). Members that are undefined are left out. */
export function canonicalJson(value: Json): string {
  const text = canonicalize(value);
  if (text === undefined) throw new TypeError('not a JSON value');
  return text;
}
