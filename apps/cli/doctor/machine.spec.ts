import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { diskFindings, folderFindings, nodeFindings } from './machine.js';

describe('The doctor at the machine', () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'kcm-doctor-'));
    mkdirSync(join(folder, 'edge'), { mode: 0o700 });
    for (const name of ['operator-token', 'unseal-key', 'ledger.db', 'edge/default.sock'])
      writeFileSync(join(folder, name), '', { mode: 0o600 });
    writeFileSync(join(folder, 'ca.pem'), '', { mode: 0o644 });
  });
  afterEach(() => rmSync(folder, { recursive: true }));
  const modes = () => folderFindings(folder).filter(({ detail }) => detail.includes('mode'));

  it('has nothing to say about files that are private', () => {
    expect(modes()).toEqual([]);
  });

  it.each(['.', 'operator-token', 'unseal-key', 'ledger.db', 'edge/default.sock'])(
    'names %s when others may reach it, and what to type',
    (name) => {
      const path = join(folder, name);
      chmodSync(path, 0o740);
      expect(modes()).toMatchObject([{ level: 'wrong', part: path, next: `chmod go= ${path}` }]);
    },
  );

  it('says that a shred can be undone from an image of the one disk', () => {
    for (const name of ['vault.db', 'erasure.db'])
      writeFileSync(join(folder, name), '', { mode: 0o600 });
    expect(folderFindings(folder)).toContainEqual(
      expect.objectContaining({ level: 'trial-grade', part: 'disk' }),
    );
  });

  it('says nothing of a folder that is not there', () => {
    expect(folderFindings(join(folder, 'none'))).toEqual([]);
  });

  it.each([
    [2 ** 40, []],
    [2 ** 30, ['degraded']],
    [2 ** 20, ['wrong']],
  ])('with %d bytes free on the disk: %j', (bytes, levels) => {
    expect(diskFindings(bytes, folder).map(({ level }) => level)).toEqual(levels);
  });

  it('refuses an older Node', () => {
    expect(nodeFindings('24.21.0')).toEqual([]);
    expect(nodeFindings('22.1.0')).toMatchObject([{ level: 'wrong', part: 'node' }]);
  });
});
