import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const ROOT = join(import.meta.dirname, '..', '..');
const read = (path: string): string => readFileSync(join(ROOT, path), 'utf8');

/** A title as a source spells it between quotes. */
const spelt = (title: string): RegExp => {
  const text = title.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&').replaceAll("'", "\\\\?'");
  return new RegExp(`\\(\\s*(['"\`])${text}\\1,`);
};

describe('The threat model', () => {
  const cited = [...read('docs/threat-model.md').matchAll(/`([^`]+\.ts)` “([^”]+)”/g)].map(
    ([, file, title]) => ({ file: file!, title: title! }),
  );

  it('names the tests that show its claims', () => {
    expect(cited.length).toBeGreaterThan(30);
    const gone = cited.filter(
      ({ file, title }) => !existsSync(join(ROOT, file)) || !spelt(title).test(read(file)),
    );
    expect(gone).toEqual([]);
  });
});
