import { jest } from '@jest/globals';
import {
  type EdgeAnswer,
  EdgeProcess,
  inUse,
  keyPath,
  Keystore,
  onboard,
  Region,
  Stage,
  type Tenant,
  until,
} from '../support/index.js';

jest.setTimeout(120_000);

/** An Edge tells every ten seconds what it did, and what is over. */
const TOLD_MS = 30_000;
interface Key {
  readonly versions: readonly { readonly version: number; readonly state: string }[];
}

describe('The end of a key version', () => {
  const stage = new Stage();
  let region: Region;
  let keystore: Keystore;
  let edge: EdgeProcess;
  let acme: Tenant;

  beforeAll(async () => {
    [region, keystore] = await Promise.all([new Region(stage).start(), Keystore.start(stage)]);
    edge = await EdgeProcess.start(stage, region, 'edge-1', ['billing']);
    acme = await onboard(region, keystore, 'acme');
  });
  afterAll(() => stage.close());

  const ask = (verb: string, body: object): Promise<EdgeAnswer> =>
    edge.client('billing').ask(acme.id, verb, body);
  const untilInUse = (key: string, version: number, count: number) =>
    until(`${count} under version ${version}`, TOLD_MS, async () =>
      (await inUse(acme, key, version)) === count ? true : null,
    );
  const destroy = (key: string, version: number) =>
    acme.anna.call('POST', `${key}/versions/${version}/destroy`, {});

  it('an L3: refused with the count while records hang from it; gone when they were moved', async () => {
    const key = await keyPath(acme, 'L3');
    const plain = ['one', 'two', 'three'].map((text) => Buffer.from(text).toString('base64'));
    const records = await Promise.all(
      plain.map(async (plaintext) => (await ask('encrypt', { plaintext })).ciphertext!),
    );
    await acme.anna.command(`${key}/rotate`, {});
    await untilInUse(key, 1, records.length);
    const refused = await destroy(key, 1);
    expect(refused).toMatchObject({ status: 409, body: { code: 'key_in_use' } });
    expect(refused.body).toMatchObject({
      errors: expect.arrayContaining([{ path: 'version', code: 'in_use', detail: '3' }]),
    });

    const moved: string[] = [];
    for (const ciphertext of records) {
      const answer = await until('a move', 5_000, async () => {
        const tried = await ask('rewrap', { ciphertext });
        return tried.status === 200 ? tried : null;
      });
      expect(answer.plaintext).toBeUndefined();
      moved.push(answer.ciphertext!);
    }
    // Whoever repeats a move moves nothing more.
    await ask('rewrap', { ciphertext: records[0]! });
    await untilInUse(key, 1, 0);
    await until('its end', TOLD_MS, async () => (await destroy(key, 1)).status === 200 || null);
    const { versions } = await acme.anna.read<Key>(key);
    expect(versions.map(({ state }) => state)).toEqual(['destroyed', 'active']);
    const gone = await until('a refusal', 15_000, async () => {
      const answer = await ask('decrypt', { ciphertext: records[0]! });
      return answer.status === 200 ? null : answer;
    });
    expect([gone.status, gone.code]).toEqual([403, 'key_destroyed']);
    for (const [at, ciphertext] of moved.entries())
      expect((await ask('decrypt', { ciphertext })).plaintext).toBe(plain[at]);
    expect(await destroy(key, 2)).toMatchObject({ status: 409, body: { code: 'wrong_state' } });
    expect(await destroy(key, 9)).toMatchObject({ status: 404 });
  });

  it('an L2: what hangs from it is wrapped anew, not while that is paused', async () => {
    const key = await keyPath(acme, 'L2');
    const pace = (body: object) => acme.anna.command(`${key}/rewrapping`, body);
    await pace({ paused: true });
    await acme.anna.command(`${key}/rotate`, {});
    expect(await inUse(acme, key, 1)).toBe(1);
    expect(await destroy(key, 1)).toMatchObject({ status: 409, body: { code: 'key_in_use' } });
    await pace({ paused: false, perSecondMax: 10 });
    await untilInUse(key, 1, 0);
    expect(await destroy(key, 1)).toMatchObject({ status: 200 });
    const { ciphertext } = await ask('encrypt', { plaintext: 'YQ==' });
    await edge.restart();
    const opened = await until('a record', 15_000, async () => {
      const answer = await ask('decrypt', { ciphertext: ciphertext! });
      return answer.status === 200 ? answer : null;
    });
    expect(opened.plaintext).toBe('YQ==');
    expect(await acme.anna.call('POST', `${key}/rewrapping`, { perSecondMax: 0 })).toMatchObject({
      status: 400,
    });
  });
});
