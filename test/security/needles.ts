export interface Secret {
  readonly name: string;
  readonly bytes: Buffer;
}
export interface Place {
  readonly name: string;
  readonly bytes: Buffer;
}
export interface Needle {
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
  const seek = seeker(
    secrets.flatMap(({ name, bytes }) =>
      formsOf(bytes).map(([form, needle]) => ({ secret: name, form, bytes: needle })),
    ),
  );
  const found = new Set<string>();
  for (const place of places)
    seek(place, ({ secret, form }) => found.add(`${secret} (${form}) in ${place.name}`));
  return [...found];
}

const STRIDE_MAX = 8;

/**
 * Looks for them all in one pass over a place, however many needles there are: only each eighth byte
 * of it (or less, for a short needle) is looked at, for two bytes that stand somewhere at the
 * beginning of one.
 */
export function seeker(needles: readonly Needle[]) {
  const starts = new Map<number, { readonly needle: Needle; readonly before: number }[]>();
  const begins = new Uint8Array(0x1_00_00);
  const stride = Math.min(STRIDE_MAX, ...needles.map(({ bytes }) => bytes.length - 1));
  for (const needle of needles)
    for (let before = 0; before < stride; before += 1) {
      const start = needle.bytes.readUInt16BE(before);
      starts.set(start, [...(starts.get(start) ?? []), { needle, before }]);
      begins[start] = 1;
    }
  return ({ bytes }: Place, onFound: (needle: Needle, at: number) => void): void => {
    for (let at = 0; at + 1 < bytes.length; at += stride) {
      const start = (bytes[at]! << 8) | bytes[at + 1]!;
      if (begins[start] === 0) continue;
      for (const { needle, before } of starts.get(start)!) {
        const from = at - before;
        const to = from + needle.bytes.length;
        if (from < 0 || to > bytes.length) continue;
        if (bytes.compare(needle.bytes, 0, needle.bytes.length, from, to) === 0)
          onFound(needle, from);
      }
    }
  };
}
