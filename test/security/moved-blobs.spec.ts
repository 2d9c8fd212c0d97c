import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { AT_REST } from './moved-blobs/at-rest.js';
import { type BlobKind, type Identity, PLAIN } from './moved-blobs/kind.js';
import { OUTSIDE } from './moved-blobs/outside.js';

const KINDS = [...AT_REST, ...OUTSIDE];

/** Every identity of which at least one field is moved, alone and with others. */
function movesOf({ own, others }: BlobKind): readonly Identity[] {
  let all: Identity[] = [{}];
  for (const [field, value] of Object.entries(own))
    all = all.flatMap((one) => [value, ...others[field]!].map((to) => ({ ...one, [field]: to })));
  return all.slice(1);
}

/** As it is, unless only what it says itself was moved; and with that rewritten, if it says any. */
function variantsOf({ own, said, rewritten }: BlobKind, blob: Buffer, as: Identity): Buffer[] {
  const moved = Object.keys(own).filter((field) => own[field] !== as[field]);
  const asIs = moved.every((field) => said?.includes(field)) ? [] : [blob];
  return rewritten === undefined ? asIs : [...asIs, rewritten(blob, as)];
}

/** Null: it opened. */
async function refusalOf(opening: Promise<Uint8Array>): Promise<string | null> {
  try {
    await opening;
    return null;
  } catch (error) {
    return (error as { code?: string }).code ?? (error as Error).constructor.name;
  }
}

describe('A blob that was moved', () => {
  it.each(KINDS)('$name opens under its own identity and no other', async (kind) => {
    const { blob, open } = await kind.seal();
    expect(Buffer.from(await open(kind.own, blob)).equals(PLAIN)).toBe(true);
    const rewritten = kind.rewritten?.(blob, kind.own) ?? blob;
    expect(rewritten.equals(blob)).toBe(true);
    expect(Object.keys(kind.others).sort()).toEqual(Object.keys(kind.own).sort());
    const wrong: string[] = [];
    let tried = 0;
    for (const as of movesOf(kind))
      for (const moved of variantsOf(kind, blob, as)) {
        const refusal = await refusalOf(open(as, moved));
        tried += 1;
        if (refusal === null || !kind.refusals.includes(refusal))
          wrong.push(`${JSON.stringify(as)}: ${refusal ?? 'opened'}`);
      }
    process.stderr.write(`  ${kind.name}: moved ${tried} times, opened ${wrong.length} times\n`);
    expect(wrong).toEqual([]);
  });

  /** Functions that seal, as they are called; their own files are left out. */
  const SEALS =
    /\b(aeadSeal|aeadSealAfter|hpkeSeal|aeskwp?Wrap|rsaOaepWrap|createCipheriv|publicEncrypt)\(/g;
  const PRIMITIVES = /^libs\/crypto\/(aead|aeskw|hpke|rsa-oaep)\.ts$/;
  /** Seals nothing that is kept. */
  const NOT_BLOBS = ['demo/steps/use.ts'];

  it('is of a kind with a row: each place that seals has as many rows as calls, or more', () => {
    const calls = new Map<string, number>();
    for (const room of ['apps', 'libs', 'projections', 'demo'])
      for (const name of readdirSync(room, { recursive: true, encoding: 'utf8' })) {
        const file = join(room, name);
        const product = file.endsWith('.ts') && !/\.spec\.ts$|^libs\/testing\//.test(file);
        if (!product || PRIMITIVES.test(file) || NOT_BLOBS.includes(file)) continue;
        const found = readFileSync(file, 'utf8').match(SEALS)?.length ?? 0;
        if (found > 0) calls.set(file, found);
      }
    expect(calls.size).toBeGreaterThan(5);
    const lacking = [...calls].filter(
      ([file, count]) => KINDS.filter(({ sealedIn }) => sealedIn === file).length < count,
    );
    expect(lacking).toEqual([]);
    for (const { sealedIn } of KINDS) expect([...calls.keys()]).toContain(sealedIn);
  });
});
