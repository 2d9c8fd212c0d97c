import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { LIMITS } from './limits.js';
import { readTextFile } from './text-file.js';

describe('A file that somebody names', () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'kcm-text-file-'));
  });
  afterEach(() => rmSync(folder, { recursive: true }));
  const holding = (text: string): string => {
    const file = join(folder, 'file');
    writeFileSync(file, text);
    return file;
  };

  it('is read whole up to its limit, and refused by name beyond', () => {
    const text = 'é'.repeat(LIMITS.textFileBytesMax / 2);
    expect(readTextFile(holding(text)) === text).toBe(true);
    const file = holding(`${text}.`);
    expect(() => readTextFile(file)).toThrow(`${file} is over ${LIMITS.textFileBytesMax} bytes.`);
  });

  it('is not waited for where nobody writes it, and not read for ever where it has no end', () => {
    const pipe = join(folder, 'pipe');
    execFileSync('mkfifo', [pipe]);
    for (const file of [pipe, '/dev/zero', folder]) {
      expect(() => readTextFile(file)).toThrow(`${file} is no regular file.`);
    }
    expect(() => readTextFile('/dev/zero', { pipes: true })).toThrow('/dev/zero is over');
    expect(() => readTextFile(join(folder, 'none'))).toThrow(/Cannot read .*none \(ENOENT\)\./);
  });
});
