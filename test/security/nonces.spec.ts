import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { FIGURES } from '@kcm/testing/figures';
import { SeenIvs } from './nonces.js';

const BOOTS = 50;
const SALT_BYTES = 16;
const ENTRY_BYTES = 4;
const run = promisify(execFile);

describe('Nonces', () => {
  it(
    `never repeat under one key over ${BOOTS} restarts, neither in records nor at the barrier`,
    async () => {
      const counts = [FIGURES.records / BOOTS, FIGURES.barrierBlobs / BOOTS] as const;
      const keys: Buffer[] = [randomBytes(32), randomBytes(32)];
      const boot = async (): Promise<Buffer> => {
        const words = [...counts.map(String), ...keys.map((bytes) => bytes.toString('hex'))];
        const args = ['--expose-gc', join(import.meta.dirname, 'nonces-boot.mjs'), ...words];
        const options = { encoding: 'buffer', maxBuffer: 2 ** 26 } as const;
        return (await run(process.execPath, args, options)).stdout;
      };
      keys.push(await boot());
      const records = new SeenIvs();
      const blobs = new SeenIvs();
      for (let n = 0; n < BOOTS; n += 1) {
        const written = await boot();
        const end = counts[0] * (SALT_BYTES + 12);
        const before = records.keys;
        records.add(written.subarray(0, end), SALT_BYTES);
        blobs.add(written.subarray(end), ENTRY_BYTES);
        // A restart takes a new salt, and so does a data key that has sealed its 7,000.
        expect(records.keys - before).toBe(Math.ceil(counts[0] / 7_000));
      }
      expect([records.count, blobs.count]).toEqual([FIGURES.records, FIGURES.barrierBlobs]);
      expect(blobs.keys).toBe(1);
      expect([records.repeated(), blobs.repeated()]).toEqual([0, 0]);
    },
    FIGURES.records / 5,
  );

  it('that repeat are found, under one key and not under two', () => {
    const seen = new SeenIvs();
    const [salt, other] = [randomBytes(SALT_BYTES), randomBytes(SALT_BYTES)];
    const ivs = Array.from({ length: 1_000 }, () => randomBytes(12));
    for (const iv of ivs) seen.add(Buffer.concat([salt, iv]), SALT_BYTES);
    seen.add(Buffer.concat([other, ivs[500]!]), SALT_BYTES);
    expect([seen.repeated(), seen.keys]).toEqual([0, 2]);
    seen.add(Buffer.concat([salt, ivs[500]!]), SALT_BYTES);
    expect(seen.repeated()).toBe(1);
  });
});
