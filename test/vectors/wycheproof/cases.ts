import { readFileSync } from 'node:fs';
import { join } from 'node:path';

/** The parameters of a group and of one case in it, as the file has them: sizes in bits. */
export interface Case {
  readonly file: string;
  readonly tcId: number;
  readonly comment: string;
  readonly result: 'valid' | 'acceptable' | 'invalid';
  readonly keySize: number;
  readonly ivSize?: number;
  readonly tagSize?: number;
  readonly sha?: string;
  readonly mgfSha?: string;
  readonly privateKeyPkcs8?: string;
  /** Bytes to be derived. */
  readonly size?: number;
  /** The bytes of a field in hexadecimal; none where the case has no such field. */
  readonly bytes: (field: string) => Buffer;
}
type Fields = Readonly<Record<string, unknown>>;
interface File {
  readonly numberOfTests: number;
  readonly testGroups: readonly (Fields & { readonly tests: readonly Fields[] })[];
}

/** Every case of a file; none is left out. @throws Error on a file that has not all it says */
export function casesOf(folder: string, file: string): Case[] {
  const { numberOfTests, testGroups } = JSON.parse(
    readFileSync(join(folder, file), 'utf8'),
  ) as File;
  const cases = testGroups.flatMap(({ tests, ...group }) =>
    tests.map((fields): Case => {
      const bytes = (field: string) =>
        Buffer.from((fields[field] as string | undefined) ?? '', 'hex');
      return { ...group, ...fields, file, bytes } as unknown as Case;
    }),
  );
  if (cases.length !== numberOfTests) throw new Error(`${file} has not all of its cases`);
  return cases;
}
