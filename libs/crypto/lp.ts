/**
 * Length-prefixed concatenation: each field as its length (u32 big-endian, bytes) and its bytes;
 * text is UTF-8. Unlike plain concatenation it is injective: no two lists give the same bytes.
 */
export function lp(...fields: readonly (string | Uint8Array)[]): Buffer {
  const parts: Uint8Array[] = [];
  for (const field of fields) {
    const bytes = typeof field === 'string' ? Buffer.from(field, 'utf8') : field;
    const length = Buffer.alloc(4);
    length.writeUInt32BE(bytes.length);
    parts.push(length, bytes);
  }
  return Buffer.concat(parts);
}
