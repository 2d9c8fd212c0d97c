import { createCipheriv, createDecipheriv } from 'node:crypto';
import { readdirSync } from 'node:fs';
import { aeskwpUnwrap, aeskwpWrap, aeskwUnwrap, aeskwWrap, Secret } from '@kcm/crypto';
import { DecryptionFailed } from '@kcm/kernel';
import { ensureWycheproof } from '../../scripts/services/wycheproof.mjs';
import { type Case, casesOf } from './wycheproof/cases.js';
import { DEVIATIONS } from './wycheproof/deviations.js';
import { type Suite, SUITES } from './wycheproof/suites.js';

let folder: string;
beforeAll(async () => {
  folder = await ensureWycheproof();
}, 180_000);

const named = ({ file, tcId, comment }: Case): string => `${file} ${tcId}: ${comment}`;

function accepted({ accepts }: Suite, vector: Case): boolean {
  try {
    return accepts(vector);
  } catch (error) {
    // Anything else than our two refusals is a fault, not a refusal.
    // (Node's own RangeError is of another realm than the test's.)
    const { name } = error as Error;
    if (error instanceof DecryptionFailed || name === 'RangeError') return false;
    throw error;
  }
}

function run(suite: Suite) {
  const files = readdirSync(folder).filter((file) => suite.files.test(file));
  const rows = DEVIATIONS.filter((row) => row.suite === suite.name);
  const cases = files.flatMap((file) => casesOf(folder, file));
  const said = cases.map((vector) => ({
    vector,
    ok: accepted(suite, vector),
    rows: rows.filter((row) => row.of(vector)),
  }));
  const bad = said.filter(({ vector }) => vector.result === 'invalid');
  const good = said.filter(({ vector }) => vector.result !== 'invalid');
  const refused = good.filter(({ ok }) => !ok);
  return {
    cases,
    acceptedInvalid: bad.filter(({ ok }) => ok).map(({ vector }) => named(vector)),
    refusedInvalid: bad.length,
    /** Of those the ones that ours refuses for their parameters already. */
    foreignInvalid: bad.filter((row) => row.rows.length > 0).length,
    acceptedValid: good.length - refused.length,
    unexplained: refused.filter((row) => row.rows.length === 0).map(({ vector }) => named(vector)),
    explainedTwice: refused.filter((row) => row.rows.length > 1).map(({ vector }) => named(vector)),
    /** A row says that ours refuses, and ours does not. */
    untrue: good.filter((row) => row.ok && row.rows.length > 0).map(({ vector }) => named(vector)),
    deviations: rows.map(({ what }, at) => ({
      what,
      cases: refused.filter((each) => each.rows.includes(rows[at]!)).length,
    })),
  };
}

describe('Project Wycheproof', () => {
  it.each(SUITES)('$name: each case is as it says, or refused for a reason given', (suite) => {
    const result = run(suite);
    const { cases, acceptedValid, refusedInvalid, foreignInvalid, deviations } = result;
    const told = deviations.map(({ what, cases: n }) => `${n} × ${what}`).join(', ');
    process.stderr.write(
      `  ${suite.name}: ${cases.length} cases, ${acceptedValid} accepted as valid, ` +
        `${refusedInvalid} refused as invalid (${foreignInvalid} by their parameters), ` +
        `deviations: ${told === '' ? 'none' : told}\n`,
    );
    expect(result.acceptedInvalid).toEqual([]);
    expect(result.unexplained).toEqual([]);
    expect(result.explainedTwice).toEqual([]);
    expect(result.untrue).toEqual([]);
    const table = DEVIATIONS.filter((row) => row.suite === suite.name);
    expect(deviations).toEqual(table.map(({ what, cases: n }) => ({ what, cases: n })));
  });

  it('is run whole: no file of ours is without a suite, and at least 1,620 cases are run', () => {
    const files = readdirSync(folder);
    for (const file of files)
      expect(SUITES.filter((suite) => suite.files.test(file))).toHaveLength(1);
    const cases = files.flatMap((file) => casesOf(folder, file));
    expect(cases.length).toBeGreaterThanOrEqual(1_620);
    for (const row of DEVIATIONS) expect(SUITES.map(({ name }) => name)).toContain(row.suite);
  });

  it.each([
    ['AES-KW', 'id-aes256-wrap', 'a6a6a6a6a6a6a6a6', aeskwWrap, aeskwUnwrap],
    ['AES-KWP', 'id-aes256-wrap-pad', 'a65959a6', aeskwpWrap, aeskwpUnwrap],
  ] as const)('%s: an empty input, which Node takes both ways, is refused', (...row) => {
    const [, cipher, iv, wrap, unwrap] = row;
    const kek = Buffer.alloc(32, 7);
    const none = Buffer.alloc(0);
    for (const theirs of [createCipheriv, createDecipheriv]) {
      const run = theirs(cipher, kek, Buffer.from(iv, 'hex'));
      expect(Buffer.concat([run.update(none), run.final()])).toHaveLength(0);
    }
    expect(() => wrap(Secret.copy(kek), Secret.copy(none))).toThrow(RangeError);
    expect(() => unwrap(Secret.copy(kek), none)).toThrow(DecryptionFailed);
  });
});
