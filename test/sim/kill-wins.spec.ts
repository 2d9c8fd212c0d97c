import { l2KeyId, l3KeyId, tekPath } from '@kcm/custody';
import type { ExistingKey, Recorded } from '@kcm/domain';
import { keyVersionUid, parseStream, streamOf } from '@kcm/kernel';
import { FIGURES } from '@kcm/testing/figures';
import { foldProjection } from '@kcm/testing';
import { operations } from '@projections/operations';
import { say, seedOf } from '../support/seeded.js';
import { SimWorld } from './world.js';

const ACME = 'acme';
const KILL = 'rev-kill';
const MATERIAL = [`l2/${ACME}/`, `l3/${ACME}/`, `cred/${ACME}/`];
const NEW_MATERIAL: ReadonlySet<string> = new Set([
  'KeyCreated',
  'KeyVersionWrapped',
  'KeyVersionRewrapped',
  'KeyRotated',
  'RootKeyConnected',
]);
const STEPS = 500;

/** One world: a tenant is onboarded and works, is killed at some moment, and shredded at another. */
class Story extends SimWorld {
  readonly leased: string[] = [];
  readonly l2 = streamOf('key', ACME, l2KeyId(ACME));
  readonly l3 = streamOf('key', ACME, l3KeyId(ACME, 'billing'));

  /** What else people and Edges do, in any order and at any time. */
  acts(): readonly (() => Promise<unknown>)[] {
    const { l2, l3 } = this;
    const rotate = (stream: typeof l2, operation: string) => () =>
      this.run('key', stream, { kind: 'RequestRotation', operation });
    const map = (service: string) => () =>
      this.run('tenant', streamOf('tenant', ACME), { kind: 'MapService', service });
    const since = '2029-01-01T00:00:00.000Z';
    const compromise = (stream: typeof l2) => () =>
      this.run('key', stream, {
        kind: 'CompromiseVersions',
        versions: null,
        since,
        processing: 'refused',
      });
    return [
      rotate(l2, 'l2-a'),
      rotate(l2, 'l2-b'),
      rotate(l3, 'l3-a'),
      rotate(l3, 'l3-b'),
      map('mail'),
      map('archive'),
      compromise(l2),
      compromise(l3),
      () =>
        this.run('key', l3, {
          kind: 'RequestDestruction',
          version: 1,
          operation: 'destroy',
          cause: 'command',
        }),
      () =>
        this.run('rootkeys', streamOf('rootkeys', ACME), {
          kind: 'RequestProbe',
          rootKeyId: 'rk-1',
          operation: 'probe',
        }),
      () => this.lease(),
      () => this.lease(),
      () => this.lease(),
      () => this.report(1),
      () => this.report(2),
    ];
  }

  async lease(): Promise<void> {
    const key = l3KeyId(ACME, 'billing');
    const state = this.view.keys(ACME).get(key);
    const version = state === undefined || state.status === 'absent' ? 1 : state.current;
    const uid = keyVersionUid({ tenant: ACME, key, version });
    const lease = await this.keys.desk.lease({ edge: 'e1', boot: 'b' }, uid, 'grant', 1);
    this.leased.push(lease.ok ? `ok under ${this.view.access(ACME).status}` : lease.code);
  }

  /** An Edge tells of use, also long after the tenant has ended: it is counted, and nothing else. */
  report(seq: number): Promise<unknown> {
    const times = { from: '2030-01-01T00:00:00.000Z', to: '2030-01-01T00:00:10.000Z' };
    const use = { tenant: ACME, key: l3KeyId(ACME, 'billing'), version: 1, ok: 3, bytes: 3 };
    return this.keys.usage.record({
      holder: 'edge:e1',
      boot: 'b',
      seq,
      ...times,
      entries: [{ ...use, operation: 'encrypt', refused: {} }],
      statement: 'a.b.c',
    });
  }

  async kill(): Promise<void> {
    await this.run('access', streamOf('access', ACME), {
      kind: 'TakeLock',
      lock: KILL,
      lockKind: 'killed',
      scope: { all: true },
      owner: 'tenant',
      cause: 'test',
      lockedBy: 'sub-a',
    });
    const stream = streamOf('revocation', ACME, KILL);
    while ((await this.shred(stream)) === 'not_found') await this.gate.pass();
  }
  shred(stream: ReturnType<typeof streamOf>): Promise<string> {
    return this.run('revocation', stream, { kind: 'RequestShred', requestedBy: 'sub-b' }, 'sub-b');
  }

  async play(): Promise<void> {
    await this.begin();
    const edge = { services: ['billing'], certificateSha256: 'ab'.repeat(32), notAfter: '2031' };
    const at = this.draw;
    // Half of what happens happens around the kill.
    const busy = at.between(0, STEPS);
    const around = () =>
      at.between(0, 1) === 0
        ? at.between(0, STEPS * 1.5)
        : at.between(Math.max(0, busy - 80), busy + 40);
    const enrolled = this.run('edge', streamOf('edge', 'local', 'e1'), {
      kind: 'EnrolEdge',
      ...edge,
    });
    await this.until(enrolled);
    const [acme, bank] = [() => this.onboard(ACME), () => this.onboard('bank')];
    const plan: (readonly [number, () => Promise<unknown>])[] = [
      [busy, () => this.kill()],
      ...this.acts().map((act) => [around(), act] as const),
    ];
    // In two worlds of three there is something to kill; in the others it is on its way.
    if (at.between(0, 2) > 0) {
      await this.until(Promise.all([acme(), bank()]));
      while (await this.step());
      const rotate = { kind: 'RequestRotation', operation: 'l2-c' } as const;
      plan.push([Math.max(0, busy - at.between(0, 150)), () => this.run('key', this.l2, rotate)]);
    } else plan.push([0, acme], [at.between(0, 50), bank]);
    for (let now = 0; now <= STEPS * 1.5; now += 1) {
      for (const [when, act] of plan)
        if (when === now) act().catch((e) => this.broken.push(`${e}`));
      if (!(await this.step()) && at.between(0, 19) === 0)
        await this.time.advance(this.time.untilNext() ?? 100);
      this.#watch();
    }
    await this.rest();
    this.#watch();
  }

  /** What holds at every moment. */
  #watch(): void {
    if (this.view.access(ACME).status === 'killed') {
      for (const [key, state] of this.view.keys(ACME))
        for (const { version } of (state as ExistingKey).versions) {
          const uid = keyVersionUid({ tenant: ACME, key, version });
          const { memory } = this.keys;
          if (memory.l3(ACME, uid) ?? memory.l2(ACME, version)) this.broken.push('a key in memory');
        }
    }
    if (!this.isShredded) return;
    const left = [...this.vault.blobs.keys()].filter((path) =>
      MATERIAL.some((m) => path.startsWith(m)),
    );
    this.broken.push(...left.map((path) => `a blob after the shred: ${path}`));
    if (this.erasure.blobs.has(tekPath(ACME))) this.broken.push('an erasure key after the shred');
  }

  get events(): readonly Recorded[] {
    return this.ledger.events as readonly Recorded[];
  }
  get mine(): readonly Recorded[] {
    return this.events.filter(({ stream }) => {
      const { category, owner } = parseStream(stream);
      return owner === ACME && category !== 'claim';
    });
  }
  get isShredded(): boolean {
    return this.ledger.types(streamOf('revocation', ACME, KILL)).includes('RevocationShredded');
  }

  /** What every copy of the vault from before is worth now, the customer's key enabled. */
  async opens(): Promise<number> {
    for (const [path, bytes] of this.vault.kept) this.vault.blobs.set(path, bytes);
    let opened = 0;
    const reference = await this.keystore.open({ key: ACME });
    for (const event of this.mine) {
      if (event.type !== 'KeyVersionWrapped' || event.stream !== this.l2) continue;
      const { version } = event.data;
      const identity = { tenant: ACME, key: l2KeyId(ACME), version };
      const tried = this.keys.hierarchy
        .openL2(identity, event.data, async (bytes, binding) => {
          const answer = await reference.unwrap(bytes, binding, { callId: 'thief' });
          return answer as never;
        })
        .then(
          (held) => (opened += held.ok ? 1 : 0),
          () => undefined,
        );
      await this.until(tried);
    }
    return opened;
  }
}

const UNDER_WAY = ['root-key.connect', 'service.map', 'key.rotate', 'rewrap'];

/** What was asked for and not answered when the kill was recorded. */
function underWay(story: Story): ReadonlySet<string> {
  const events = story.events;
  const at = events.findIndex(({ type, stream }) => type === 'LockTaken' && stream.endsWith(ACME));
  const before = events.slice(0, at);
  const open = Object.values(foldProjection(operations, before as never))
    .filter((each) => each?.tenant === ACME && each.state === 'pending')
    .map((each) => each!.kind as string);
  const l2 = before.filter(({ type, stream }) => type === 'KeyRotated' && stream === story.l2);
  const anew = before.filter(({ type }) => type === 'KeyVersionRewrapped').length;
  const made = before.filter(({ type, stream }) => type === 'KeyCreated' && stream === story.l3);
  return new Set([...open, ...(l2.length > 0 && made.length > 0 && anew === 0 ? ['rewrap'] : [])]);
}

/** What must hold in the end; each that does not, in words. */
async function wrongIn(story: Story): Promise<readonly string[]> {
  const wrong = [...new Set(story.broken)];
  if (!story.isShredded) wrong.push('it was never shredded');
  for (const [key, { status }] of story.view.keys(ACME))
    if (status !== 'revoked') wrong.push(`${key} is ${status}`);
  if (story.leased.includes('ok under killed')) wrong.push('a lease under the lock');
  const mine = story.mine.map(({ type }) => type as string);
  const after = mine.slice(mine.indexOf('RevocationShredded'));
  wrong.push(...after.filter((type) => NEW_MATERIAL.has(type)).map((type) => `${type} after it`));
  const told = Object.values(foldProjection(operations, story.events as never));
  for (const each of told)
    if (each?.tenant === ACME && each.state === 'pending') wrong.push(`nobody told: ${each.kind}`);
  const bank = story.view.keys('bank');
  const states = [...bank.values()].map(({ status }) => status);
  if (states.join() !== 'active,active')
    wrong.push(`the neighbour has ${states.join() || 'no'} keys`);
  if ((await story.opens()) > 0) wrong.push('a copy of the vault opens');
  return wrong;
}

describe('A kill wins over whatever is in flight', () => {
  const first = seedOf();

  it('in every world of the seeds: nothing is left, nothing opens, everybody is told', async () => {
    say(`KCM_TEST_SEED=${first} and the ${FIGURES.killedWorlds} from it on`);
    const killedAt = new Map<string, number>();
    const one = process.env['KCM_TEST_SEED'] !== undefined;
    for (let seed = first; seed < first + (one ? 1 : FIGURES.killedWorlds); seed += 1) {
      const story = new Story(seed);
      let wrong: readonly string[];
      try {
        await story.play();
        wrong = await wrongIn(story);
      } catch (error) {
        wrong = [String(error)];
      }
      if (wrong.length > 0) {
        say(`KCM_TEST_SEED=${seed} repeats this world`);
        expect({ seed, wrong }).toEqual({ seed, wrong: [] });
      }
      for (const kind of underWay(story)) killedAt.set(kind, (killedAt.get(kind) ?? 0) + 1);
    }
    if (one) return;
    say(`under way at the kill: ${[...killedAt].map((each) => each.join(' ')).join(', ')}`);
    // Of a thousand worlds; each of these was there, and not by chance.
    for (const kind of UNDER_WAY) expect(killedAt.get(kind) ?? 0).toBeGreaterThan(5);
  }, 600_000);

  it('a seed repeats its world', async () => {
    const world = async () => {
      const story = new Story(first);
      await story.play();
      return story.events.map(({ stream, type }) => `${stream} ${type}`);
    };
    expect(await world()).toEqual(await world());
  });
});
