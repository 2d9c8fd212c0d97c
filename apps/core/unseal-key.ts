import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { KcmError } from '@kcm/kernel';
import { writePrivately } from '@kcm/platform';

const pathOf = (dataDir: string) => join(dataDir, 'unseal-key');

/** KCM_SEAL=auto keeps the one share beside the data: trial-grade, and said to be so. */
export function keepUnsealKey(dataDir: string, share: string): void {
  writePrivately(pathOf(dataDir), `${share}\n`);
}

/** @throws KcmError sealed when the file is gone */
export function readUnsealKey(dataDir: string): string {
  const path = pathOf(dataDir);
  if (!existsSync(path)) {
    throw new KcmError('sealed', `The unseal key ${path} is gone: the region cannot be unsealed.`);
  }
  return readFileSync(path, 'utf8').trim();
}
