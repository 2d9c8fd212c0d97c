import {
  chmodSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { writePrivately } from './private-file.js';

describe('a private file', () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'kcm-private-'));
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  it('is its user’s alone, whatever lay there before', () => {
    const path = join(folder, 'token');
    writeFileSync(path, 'old and longer');
    chmodSync(path, 0o644);
    // What a killed process left of its draft.
    writeFileSync(`${path}.new`, 'ha', { mode: 0o666 });
    writePrivately(path, 'new');
    expect([readFileSync(path, 'utf8'), statSync(path).mode & 0o777]).toEqual(['new', 0o600]);
    expect(readdirSync(folder)).toEqual(['token']);
  });
});
