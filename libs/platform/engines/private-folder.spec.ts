import { chmodSync, chownSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemRandom } from '@kcm/kernel';
import { readConfig } from '../config.js';
import { openEngines } from './engines.js';
import { assertPrivateFolder } from './private-folder.js';

describe('The data folder', () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'kcm-private-'));
  });
  afterEach(() => rmSync(folder, { recursive: true }));
  const open = () => openEngines(readConfig({ KCM_DATA_DIR: folder }), systemRandom, ['ledger']);

  it.each([0o777, 0o770, 0o702, 0o1777])(
    'of mode %o is refused, with what to type',
    async (mode) => {
      chmodSync(folder, mode);
      await expect(open()).rejects.toMatchObject({
        code: 'invalid_request',
        message: expect.stringContaining(`chmod go-w ${folder}`) as string,
        errors: [{ path: 'KCM_DATA_DIR', code: 'not_private' }],
      });
    },
  );

  it.each([0o700, 0o755])('of mode %o is taken', async (mode) => {
    chmodSync(folder, mode);
    await (await open()).close();
  });

  it('of another user is refused, by number', () => {
    // Only root can give a folder away; for everybody else `/` is another's.
    const root = process.getuid?.() === 0;
    if (root) chownSync(folder, 12_345, 12_345);
    const [taken, owner] = root ? [folder, 12_345] : ['/', 0];
    expect(() => assertPrivateFolder(taken)).toThrow(new RegExp(`another user \\(uid ${owner}\\)`));
  });
});
