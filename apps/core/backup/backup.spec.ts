import { KcmError, streamOf } from '@kcm/kernel';
import { InMemoryLedger, MemoryBlobs, sampleEvent } from '@kcm/testing';
import { type BackupDeps, backupChunks } from './backup.js';

async function world(events: number, change: Partial<BackupDeps> = {}): Promise<BackupDeps> {
  const ledger = new InMemoryLedger();
  for (let n = 0; n < events; n += 1)
    await ledger.append(streamOf('tenant', `t${n}`), 'noStream', [sampleEvent({})]);
  const vault = new MemoryBlobs();
  for (const path of ['sys/keyring/a', 'sys/ca/a', 'zz/last', 'l2/acme/k/1/d'])
    await vault.put(path, Buffer.from(path));
  const directory = new MemoryBlobs();
  return {
    ledger,
    vault,
    directory,
    region: 'local',
    clock: { wallMs: () => 0 },
    sealedBy: () => 'a',
    sign: (_head, extensions) => extensions.join('\n'),
    ...change,
  };
}
const all = async (deps: BackupDeps): Promise<string[]> => {
  const chunks: string[] = [];
  for await (const chunk of backupChunks(deps)) chunks.push(chunk);
  return chunks;
};
const keysOf = (chunks: readonly string[]): unknown[] =>
  chunks
    .join('')
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as { key?: string })
    .flatMap(({ key }) => key ?? []);

describe('A backup that is taken', () => {
  it('gives everybody else a turn between its pieces', async () => {
    let turns = 0;
    let going = true;
    const others = (): void => {
      turns += 1;
      if (going) setImmediate(others);
    };
    const deps = await world(1_500);
    setImmediate(others);
    const chunks = await all(deps);
    going = false;
    expect(chunks.length).toBeGreaterThan(5);
    expect(turns).toBeGreaterThanOrEqual(chunks.length - 1);
  });

  it('reads the vault after the ledger, and its keyring last', async () => {
    const read: string[] = [];
    const deps = await world(1);
    const vault = Object.assign(new MemoryBlobs(), {
      list: async () => {
        read.push('vault');
        return deps.vault.list('');
      },
      get: (path: string) => deps.vault.get(path),
    });
    const ledger = Object.assign(Object.create(deps.ledger) as BackupDeps['ledger'], {
      feed: (...about: Parameters<BackupDeps['ledger']['feed']>) => {
        read.push('ledger');
        return deps.ledger.feed(...about);
      },
    });
    const chunks = await all({ ...deps, vault, ledger });
    expect(read).toEqual(['ledger', 'vault']);
    expect(keysOf(chunks)).toEqual(['l2/acme/k/1/d', 'sys/ca/a', 'zz/last', 'sys/keyring/a']);
  });

  it('holds the keyring of the shares that count, and of no others', async () => {
    const deps = await world(1);
    await deps.vault.put('sys/keyring/unproved', Buffer.from('made by a rekey under way'));
    expect(keysOf(await all(deps)).filter((key) => /keyring/.test(String(key)))).toEqual([
      'sys/keyring/a',
    ]);
  });

  it('is signed by nobody when the region got other shares meanwhile', async () => {
    let asked = 0;
    const deps = await world(1, { sealedBy: () => String((asked += 1)) });
    await expect(all(deps)).rejects.toMatchObject({ code: 'wrong_state' });
    const sealed = await world(1, {
      sign: () => {
        throw new KcmError('sealed', 'This region is sealed.');
      },
    });
    await expect(all(sealed)).rejects.toMatchObject({ code: 'sealed' });
  });
});
