import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { jest } from '@jest/globals';
import type { UsageEntry } from '@kcm/domain';
import { verifyReceipt } from '@kcm/evidence/verify';
import type { RecordedEvent } from '@kcm/kernel';
import { eventsOf } from '../crash/ledger-audit.js';
import {
  BOUND_MS,
  type EdgeAnswer,
  EdgeProcess,
  Keystore,
  onboard,
  receiptOf,
  Region,
  type RevocationView,
  runToEnd,
  Stage,
  type Tenant,
  trustOf,
  until,
} from '../support/index.js';

jest.setTimeout(90_000);

interface Report {
  readonly holder: string;
  readonly boot: string;
  readonly entries: readonly UsageEntry[];
  readonly last?: true;
}
const dataOf = <T>(events: readonly RecordedEvent[], type: string): T[] =>
  events.filter((event) => event.type === type).map(({ data }) => data as T);

/** Stores, logs and all else. */
const filesIn = (folder: string): Buffer[] =>
  readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => readFileSync(join(entry.parentPath, entry.name)));

/** What hangs from each version: protected by it, less what was moved off it, each thing once. */
function hanging(reports: readonly Report[], tenant: string): Record<number, number> {
  const counts: Record<number, number> = {};
  const moved = new Set<string>();
  for (const entry of reports.flatMap(({ entries }) => entries)) {
    if (entry.tenant !== tenant || entry.version === 0) continue;
    const { key, version, operation, ok } = entry;
    const more = ['encrypt', 'dataKey', 'rewrapTo'].includes(operation) ? ok : 0;
    const ids = (entry.moved ?? []).map((id) => `${key}/${version}/${id}`);
    const fresh = ids.filter((id) => !moved.has(id));
    for (const id of fresh) moved.add(id);
    counts[version] = (counts[version] ?? 0) + more - fresh.length;
  }
  return counts;
}

describe('Data keys', () => {
  const stage = new Stage();
  let region: Region;
  let keystore: Keystore;
  let edge: EdgeProcess;

  beforeAll(async () => {
    [region, keystore] = await Promise.all([new Region(stage).start(), Keystore.start(stage)]);
    edge = await EdgeProcess.start(stage, region, 'edge-1', ['billing']);
  });
  afterAll(() => stage.close());

  const ask = (tenant: Tenant, verb: string, body: object, at = edge): Promise<EdgeAnswer> =>
    at.client('billing').ask(tenant.id, verb, body);
  const allow = async ({ path, anna }: Tenant, allowExport: boolean) =>
    expect(await anna.call('PUT', `${path}/policy`, { allowExport })).toMatchObject({
      status: 200,
    });
  const refusal = [403, 'export_not_allowed'];
  const said = ({ status, code }: EdgeAnswer) => [status, code];

  it('are given out as soon as the tenant’s policy allows it, and no longer', async () => {
    const acme = await onboard(region, keystore, 'acme');
    expect(said(await ask(acme, 'data-keys', {}))).toEqual(refusal);
    await allow(acme, true);
    const made = await until('a data key', 2_000, async () => {
      const answer = await ask(acme, 'data-keys', { context: { table: 'cards' } });
      return answer.status === 200 ? answer : null;
    });
    const unwrapping = { wrapped: made.wrapped, context: { table: 'cards' } };
    expect(await ask(acme, 'data-keys/unwrap', unwrapping)).toMatchObject({
      status: 200,
      id: made.id,
      plaintext: made.plaintext,
    });
    await allow(acme, false);
    await until('a refusal', 2_000, async () => {
      const answer = await ask(acme, 'data-keys/unwrap', unwrapping);
      return answer.code === 'export_not_allowed' || null;
    });
    expect(said(await ask(acme, 'data-keys', {}))).toEqual(refusal);
    expect(await ask(acme, 'data-keys/rewrap', unwrapping)).toMatchObject({ status: 200 });
  });

  it('end with the lease at an Edge that is cut off from Core', async () => {
    const cut = await onboard(region, keystore, 'cut');
    await allow(cut, true);
    expect((await ask(cut, 'data-keys', {})).status).toBe(200);
    edge.wire.cut();
    const since = performance.now();
    try {
      await allow(cut, false);
      let given = 0;
      await until('an end', BOUND_MS, async () => {
        const answer = await ask(cut, 'data-keys', {});
        if (answer.status === 200) given = performance.now();
        return answer.status === 200 ? null : true;
      });
      expect(given - since).toBeLessThan(BOUND_MS);
    } finally {
      edge.wire.heal();
      await edge.connected();
    }
    await until('the refusal', 5_000, async () => {
      const answer = await ask(cut, 'data-keys', {});
      return answer.code === 'export_not_allowed' || null;
    });
  });

  it('are counted in the receipt of an ending, as far as Edges told', async () => {
    const left = await onboard(region, keystore, 'left');
    await allow(left, true);
    const { wrapped } = await until('a data key', 5_000, async () => {
      const answer = await ask(left, 'data-keys', {});
      return answer.status === 200 ? answer : null;
    });
    expect((await ask(left, 'data-keys/unwrap', { wrapped })).status).toBe(200);
    // Its last report.
    await edge.restart();
    const reason = { code: 'incident' };
    const lock = { kind: 'suspend', scope: { all: true }, reason };
    const { id } = await left.anna.command<RevocationView>(`${left.path}/revocations`, lock);
    const { jws, said } = await receiptOf(left, id, 'locked');
    expect(said.exported).toEqual({ keys: 2 });
    expect(said.doesNotClaim.join('\n')).toMatch(/exported in plaintext are gone[^]*had reported/);
    expect(verifyReceipt(jws, await trustOf(left))).toMatchObject({ exported: { keys: 2 } });
  });

  it('move to the newest version with records, each counted once, shown by nothing', async () => {
    const moving = await onboard(region, keystore, 'moving');
    const other = await EdgeProcess.start(stage, region, 'edge-2', ['billing']);
    await allow(moving, true);
    const key = await until('a data key', 5_000, async () => {
      const answer = await ask(moving, 'data-keys', {});
      return answer.status === 200 ? answer : null;
    });
    const records: string[] = [];
    for (const text of ['one', 'two', 'three'])
      records.push((await edge.client('billing').sample('moving', text)).ciphertext);
    // One boot that dies with what it has not told.
    const killed = await EdgeProcess.start(stage, region, 'edge-3', ['billing']);
    await killed.client('billing').sample('moving', 'lost count');
    process.kill(killed.program.pid, 'SIGKILL');
    await moving.anna.command(`${moving.path}/keys/${moving.l3['billing']}/rotate`);
    await allow(moving, false);
    const kcm = (words: readonly string[], input: string) => {
      const at = ['--tenant', 'moving', '--service', 'billing', '--json'];
      return runToEnd('cli', [...words, ...at], { KCM_DATA_DIR: edge.data }, [], input);
    };
    const newest = await until('the new version', 5_000, async () => {
      const answer = await ask(moving, 'data-keys/rewrap', { wrapped: key.wrapped });
      return answer.keyVersion === 2 ? answer : null;
    });
    const answers = [newest];
    // Repeated at the same Edge, and at another.
    for (const at of [edge, other])
      for (const record of records.slice(0, 2))
        answers.push(await ask(moving, 'rewrap', { ciphertext: record }, at));
    expect(answers.map(({ keyVersion }) => keyVersion)).toEqual([2, 2, 2, 2, 2]);
    const typed = await Promise.all([
      kcm(['rewrap'], records[0]!),
      kcm(['data-key', 'rewrap'], key.wrapped!),
      kcm(['data-key', 'create'], ''),
      kcm(['data-key', 'unwrap'], key.wrapped!),
    ]);
    expect(typed.map(({ code }) => code)).toEqual([0, 0, 1, 1]);
    for (const { stderr } of typed.slice(2)) expect(stderr).toContain('[export_not_allowed]');
    const opened = await ask(moving, 'decrypt', { ciphertext: JSON.parse(typed[0].stdout) });
    expect(opened).toMatchObject({ plaintext: Buffer.from('one').toString('base64') });
    expect(opened.stale).toBeUndefined();
    const stale = await ask(moving, 'decrypt', { ciphertext: records[2] });
    expect(stale).toMatchObject({ status: 200, keyVersion: 1, stale: true });
    expect(await ask(moving, 'decrypt', { ciphertext: answers[1]!.ciphertext })).toMatchObject({
      status: 200,
      plaintext: Buffer.from('one').toString('base64'),
    });

    await Promise.all([edge.stop(), other.stop()]);
    await region.stop();
    const events = await eventsOf(region.data);
    const reports = dataOf<Report>(events, 'UsageReported');
    // v1: of the key and three records one record is left; v2: all that came of the moves.
    expect(hanging(reports, 'moving')).toEqual({ 1: 1, 2: 7 });
    const fresh = reports
      .flatMap(({ entries }) => entries)
      .filter(({ tenant, operation }) => tenant === 'moving' && operation === 'rewrapFrom')
      .map(({ moved = [], fresh: first }) => [moved.length, first ?? 0]);
    expect(fresh.reduce((sum, [all = 0]) => sum + all, 0)).toBeGreaterThan(3);
    expect(fresh.reduce((sum, [, first = 0]) => sum + first, 0)).toBe(3);
    const ends = reports.filter(({ last }) => last).map(({ holder }) => holder);
    expect(ends.toSorted()).toEqual([
      'edge:edge-1',
      'edge:edge-1',
      'edge:edge-2',
      'edge:standalone',
    ]);
    const classes = dataOf<{ grants: { class?: string }[] }>(events, 'LeasesGranted');
    expect(new Set(classes.flatMap(({ grants }) => grants.map((one) => one.class)))).toEqual(
      new Set([undefined, 'exported']),
    );

    const bytes = Buffer.from(key.plaintext!, 'base64');
    const forms = (['base64', 'base64url', 'hex'] as const).map((form) => bytes.toString(form));
    const shown = [...filesIn(stage.folder), Buffer.from(JSON.stringify(answers))];
    const found = [bytes, ...forms.map((form) => form.replaceAll('=', ''))].filter((form) =>
      shown.some((file) => file.includes(form)),
    );
    expect(shown.length).toBeGreaterThan(10);
    expect(found).toEqual([]);
  });
});
