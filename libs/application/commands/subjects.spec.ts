import { systemRandom } from '@kcm/kernel';
import { MemoryBlobs } from '@kcm/testing';
import { Subjects } from './subjects.js';

describe('Subjects', () => {
  const directory = new MemoryBlobs();
  const subjects = new Subjects(directory, systemRandom);

  it('are opaque in events, the same for a person, another for each tenant', async () => {
    const anna = await subjects.opaque('acme', 'anna');
    expect(anna).toMatch(/^sub-[a-z2-7]{26}$/);
    expect(await subjects.opaque('acme', 'anna')).toBe(anna);
    expect(await subjects.opaque('globex', 'anna')).not.toBe(anna);
    expect(await new Subjects(directory, systemRandom).opaque('acme', 'anna')).toBe(anna);
  });

  const remembered = async (name: string, by = subjects): Promise<string> => {
    const id = await by.opaque('acme', name);
    await by.remember('acme', name, id);
    return id;
  };

  it('that are known need no write: a full disk locks nobody out', async () => {
    const anna = await remembered('anna');
    const full = new (class extends MemoryBlobs {
      override get = (key: string) => directory.get(key);
      override putIfAbsent = () => Promise.reject(new Error('no room'));
    })();
    const later = new Subjects(full, systemRandom);
    expect(await remembered('anna', later)).toBe(anna);
    await expect(remembered('new', later)).rejects.toThrow('no room');
  });

  it('that are new are kept only when they are let in, and are asked for once', async () => {
    const id = await subjects.opaque('acme', 'carl');
    const refused = () => {
      throw new Error('too many');
    };
    await expect(subjects.remember('acme', 'carl', id, refused)).rejects.toThrow('too many');
    expect(await subjects.nameOf('acme', id)).toBe(id);
    await subjects.remember('acme', 'carl', id);
    await subjects.remember('acme', 'carl', id, refused);
    await new Subjects(directory, systemRandom).remember('acme', 'carl', id, refused);
    expect(await subjects.nameOf('acme', id)).toBe('carl');
  });

  it('have a name again until the directory forgets it', async () => {
    const id = await remembered('bea');
    expect(await subjects.nameOf('acme', id)).toBe('bea');
    await directory.erase(`subject/acme/${id}`);
    expect(await subjects.nameOf('acme', id)).toBe(id);
  });

  it.each(['core', 'keystore', 'operator', 'process:receipts', 'edge:e1', 'sub-x'])(
    'cannot read like our own: %s',
    async (name) => {
      const id = await remembered(name);
      expect(await subjects.nameOf('acme', id)).toBe(id);
    },
  );

  it('have fingerprints of bodies that another tenant cannot compare', async () => {
    const body = { pin: '1234' };
    const mine = await subjects.fingerprint('acme', body);
    expect(await subjects.fingerprint('acme', { pin: '1234' })).toBe(mine);
    expect(await subjects.fingerprint('acme', { pin: '1235' })).not.toBe(mine);
    expect(await subjects.fingerprint('globex', body)).not.toBe(mine);
  });
});
