import { lines } from './human.js';
import type { Terminal } from './terminal.js';

const NONE: Terminal = { columns: null, colour: false };
const wide = (columns: number): Terminal => ({ columns, colour: false });
const ID = '80ad1a24-d08b-404d-937f-e5f33a66ec3e';
const NESTED = { changes: Array.from({ length: 30 }, (_, at) => `field-${at}`) };

describe('What a person reads', () => {
  it('is whole, in columns, where there is no terminal', () => {
    const [head, row] = lines([{ id: ID, nested: NESTED, last: 'x' }], NONE);
    const text = JSON.stringify(NESTED);
    expect(head).toBe(`${'id'.padEnd(36)}  ${'nested'.padEnd(text.length)}  last`);
    expect(row).toBe(`${ID}  ${text}  x`);
  });

  it('fits the terminal: cells wrap between words, lists go first, and what went is named', () => {
    const rows = [{ id: ID, name: 'The Bank of Two Rivers', nested: NESTED, state: 'active' }];
    const shown = lines(rows, wide(60));
    expect(Math.max(...shown.map((line) => line.length))).toBeLessThanOrEqual(60);
    expect(shown[1]).toMatch(new RegExp(`^${ID}  The Bank of +active$`));
    expect(shown[2]!.trim()).toBe('Two Rivers');
    expect(shown.at(-1)).toBe('(no room for nested: --json has them)');
    expect(lines(rows, wide(200)).join()).toContain(`${JSON.stringify(NESTED).slice(0, 39)}…`);
  });

  it('leaves out what is empty in every row before what says something', () => {
    const rows = [{ id: ID, code: null, reference: { key: 'acme' }, state: 'active' }];
    const [head, ...others] = lines(rows, wide(64));
    expect(head).toMatch(/^id +reference +state$/);
    expect(others.at(-1)).toBe('(no room for code: --json has them)');
  });

  it('puts a block of a list at the margin, as it has to be copied', () => {
    const block = '-----BEGIN PGP MESSAGE-----\n\nwV4D\n-----END PGP MESSAGE-----\n';
    expect(lines({ shares: ['kcms1-a', block] }, NONE)).toEqual([
      'shares',
      '  - kcms1-a',
      '  -',
      ...block.trim().split('\n'),
    ]);
  });

  it('keeps the lines of a text of one thing', () => {
    expect(lines({ policy: '{\n  "key": "a\u0007"\n}' }, NONE)).toEqual([
      'policy',
      '  {',
      '    "key": "a\\u0007"',
      '  }',
    ]);
  });

  it('never cuts an id, however narrow the terminal is', () => {
    for (const columns of [10, 36, 40, 50, 80]) {
      const [, row] = lines([{ id: ID, state: 'active', at: '2030-01-01' }], wide(columns));
      expect(row).toMatch(new RegExp(`^${ID}`));
    }
  });

  it('stays in its columns when a name has wide letters or emoji', () => {
    const rows = [
      { name: '銀行🏦', state: 'active' },
      { name: 'Acme', state: 'blocked' },
    ];
    expect(lines(rows, wide(80))).toEqual(['name    state', '銀行🏦  active', 'Acme    blocked']);
  });

  it('never commands the terminal, in a table or beside a name', () => {
    const name = 'a\u001b[31mred\u009b2J\u202etac\n';
    const shown = 'a\\u001b[31mred\\u009b2J\\u202etac\\u000a';
    expect(lines([{ name }], NONE)[1]).toBe(shown);
    expect(lines({ [name]: 'b\u0007' }, NONE)).toEqual([`${shown}  b\\u0007`]);
  });

  it('is bold in its head on a terminal with colour alone', () => {
    expect(lines([{ id: 'a' }], { columns: 80, colour: true })[0]).toBe('\u001b[1mid\u001b[22m');
    expect(lines([{ id: 'a' }], wide(80))[0]).toBe('id');
  });

  it('shows everything of one thing, and says when a list is empty', () => {
    const text = 'a'.repeat(90);
    expect(lines({ policy: { text }, keys: [] }, wide(40))).toEqual([
      'policy',
      `  text  ${text}`,
      'keys',
      '  (none)',
    ]);
  });
});
