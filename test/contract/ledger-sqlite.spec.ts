import { systemRandom } from '@kcm/kernel';
import { openSqliteLedger } from '@kcm/ledger/sqlite';
import { ledgerContract } from '@kcm/testing';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

ledgerContract('SQLite', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'kcm-ledger-'));
  return {
    open: () => openSqliteLedger({ file: join(folder, 'ledger.db'), random: systemRandom }),
    dispose: async () => rmSync(folder, { recursive: true }),
  };
});
