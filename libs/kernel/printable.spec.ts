import { printableJson, printableLine, printableText } from './printable.js';

const HOSTILE = [
  '\u001b[31mred',
  '\u009b31mred',
  '\u009d0;title\u0007',
  'a\rb',
  'a\u2028b',
  'a\u2029b',
  '\u202egnp.exe',
  '\u2066isolated\u2069',
  'a\u0000b',
  '\u007f',
  '\u200b',
  '\ud800 alone',
  '\u{e0041}tag',
];
const SAFE = /^[\P{C}\n\t]*$/u;

describe('What is printed', () => {
  it.each(HOSTILE)('holds nothing that a terminal obeys: %j', (text) => {
    for (const shown of [printableLine(text), printableText(text), printableJson(`"${text}"`)])
      expect(shown).toMatch(SAFE);
  });

  it('is one line where one is asked for, and keeps its lines and tabs where it has some', () => {
    expect(printableLine('a\nb\tc')).toBe('a\\u000ab\\u0009c');
    expect(printableText('a\nb\tc')).toBe('a\nb\tc');
  });

  it('as JSON says the same as before', () => {
    const value = { 'k\u2028': HOSTILE };
    for (const indent of [undefined, 2])
      expect(JSON.parse(printableJson(JSON.stringify(value, null, indent)))).toEqual(value);
  });

  it('leaves what people write as it is', () => {
    for (const text of ['Käse, 世界, שלום, 👍', 'a\\u001b', ''])
      expect([printableLine(text), printableText(text), printableJson(text)]).toEqual([
        text,
        text,
        text,
      ]);
  });
});
