export interface Secret {
  readonly name: string;
  readonly bytes: Buffer;
}
export interface Place {
  readonly name: string;
  readonly bytes: Buffer;
}
interface Needle {
  readonly secret: string;
  readonly form: string;
  readonly bytes: Buffer;
}

/** The characters of base64 that `bytes` alone decide when `offset` other bytes stand before. */
export function base64Inside(bytes: Buffer, offset: number): string {
  const text = Buffer.concat([Buffer.alloc(offset), bytes]).toString('base64');
  const first = Math.ceil((offset * 8) / 6);
  const end = Math.floor(((offset + bytes.length) * 8) / 6);
  return text.slice(first, end);
}

/** Raw, hex in both cases, base64 and base64url at all three offsets. */
export function formsOf(bytes: Buffer): readonly (readonly [form: string, needle: Buffer])[] {
  const hex = bytes.toString('hex');
  const base64 = [0, 1, 2].map((offset) => [offset, base64Inside(bytes, offset)] as const);
  const url = (text: string) => text.replaceAll('+', '-').replaceAll('/', '_');
  return [
    ['raw', bytes],
    ['hex', Buffer.from(hex)],
    ['HEX', Buffer.from(hex.toUpperCase())],
    ...base64.map(([at, text]) => [`base64+${at}`, Buffer.from(text)] as const),
    ...base64.map(([at, text]) => [`base64url+${at}`, Buffer.from(url(text))] as const),
  ];
}

/** Every place that holds a form of a secret, as `secret (form) in place`. */
export function search(secrets: readonly Secret[], places: readonly Place[]): readonly string[] {
  const needles = secrets.flatMap(({ name, bytes }): Needle[] =>
    formsOf(bytes).map(([form, needle]) => ({ secret: name, form, bytes: needle })),
  );
  // By their first two bytes: one pass over each place, however many needles there are.
  const starts = new Map<number, Needle[]>();
  for (const needle of needles) {
    const start = needle.bytes.readUInt16BE();
    starts.set(start, [...(starts.get(start) ?? []), needle]);
  }
  const found = new Set<string>();
  for (const { name, bytes } of places) {
    for (let at = 0; at + 1 < bytes.length; at += 1) {
      const candidates = starts.get((bytes[at]! << 8) | bytes[at + 1]!);
      if (candidates === undefined) continue;
      for (const { secret, form, bytes: needle } of candidates)
        if (needle.equals(bytes.subarray(at, at + needle.length)))
          found.add(`${secret} (${form}) in ${name}`);
    }
  }
  return [...found];
}
