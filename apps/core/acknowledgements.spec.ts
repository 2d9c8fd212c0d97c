import { l2KeyId, l3KeyId, type CoreView } from '@kcm/custody';
import type { AccessState, RevocationKind, RevocationState, Scope } from '@kcm/domain';
import { keyVersionUid, systemClock } from '@kcm/kernel';
import { SimClock } from '@kcm/testing/edge';
import { Acknowledgements } from './acknowledgements.js';

const SPOKE = '2030-01-01T00:00:00.000Z';
const anchor = l2KeyId('acme');

/** A double of what Core knows: the locks that are held, each with its opened revocation. */
function knowing(
  held: Readonly<Record<string, { epoch: number; scope?: Scope; kind?: RevocationKind }>>,
) {
  const locks = Object.keys(held).map((lock) => ({ lock, kind: 'suspended' }));
  const access = { status: 'locked', term: 1, epoch: 9, locks } as unknown as AccessState;
  const opened = Object.entries(held).map(([lock, one]) => {
    const { epoch, scope = { all: true }, kind = 'suspend' } = one;
    const state = { status: 'locked', locked: { epoch, scope, kind }, acknowledged: new Set() };
    return [lock, state as unknown as RevocationState] as const;
  });
  return {
    access: () => access,
    revocations: () => new Map(opened),
  } as unknown as CoreView;
}

const wordOf = (epoch: number, key = anchor, erasedAt = 'dropped-unconfirmed') => ({
  edge: 'e1',
  boot: 'b1',
  statement: {
    boot: 'b1',
    uid: keyVersionUid({ tenant: 'acme', key, version: 1 }),
    term: 1,
    epoch,
    refusedAt: SPOKE,
    erasedAt,
    handles: 1,
  } as const,
  jws: 'a.b.c',
  certificateSha256: 'f'.repeat(64),
});

/** The revocations in which a word about this key, said at this epoch, is recorded. */
async function recordedIn(
  view: CoreView,
  epoch: number,
  key = anchor,
  erasedAt?: string,
): Promise<string[]> {
  const streams: string[] = [];
  const dispatch = ({ stream }: { readonly stream: string }) => {
    streams.push(stream);
    return Promise.resolve({ events: [], revision: 0, position: null, replayed: false });
  };
  await new Acknowledgements(view, dispatch, systemClock, () => false).record(
    wordOf(epoch, key, erasedAt),
  );
  return streams;
}

describe("A holder's word", () => {
  it('goes to the lock that it answers, told before its record or after', async () => {
    const view = knowing({ r1: { epoch: 7 } });
    for (const epoch of [6, 7, 8])
      expect(await recordedIn(view, epoch)).toEqual(['revocation-acme.r1']);
  });

  it('about a lock that was lifted does not answer a later one', async () => {
    expect(await recordedIn(knowing({ r1: { epoch: 7 } }), 5)).toEqual([]);
  });

  it('goes to every lock that is held with it', async () => {
    const view = knowing({ r1: { epoch: 6 }, r2: { epoch: 7 } });
    expect(await recordedIn(view, 7)).toEqual(['revocation-acme.r1', 'revocation-acme.r2']);
  });

  it('that is faster than the record waits for it, whatever its own clock says', async () => {
    const clock = new SimClock();
    const nothing = () => Promise.reject(new Error('nothing is to be recorded'));
    const words = new Acknowledgements(knowing({}), nothing, clock, () => false);
    // Its holder's clock is off by hours, to either side.
    for (const hours of [-2, 4]) {
      clock.setWall(Date.parse(SPOKE) + hours * 3_600_000 - clock.wallMs());
      for (let waited = 0; waited <= 30_000; waited += 10_000, clock.advance(10_000))
        await expect(words.record(wordOf(9))).rejects.toMatchObject({ code: 'wrong_state' });
      // Nothing has come that it could answer, and its holder must not take it for recorded.
      await expect(words.record(wordOf(9))).rejects.toMatchObject({ code: 'invalid_request' });
    }
  });

  it('waits for as long as the ledger takes no record of the lock, and is in the revocation', async () => {
    const clock = new SimClock();
    const streams: string[] = [];
    const dispatch = ({ stream }: { readonly stream: string }) => {
      streams.push(stream);
      return Promise.resolve({ events: [], revision: 0, position: null, replayed: false });
    };
    let view = knowing({});
    let unrecorded = true;
    const later = {
      access: () => view.access('acme'),
      revocations: () => view.revocations('acme'),
    };
    const words = new Acknowledgements(
      later as unknown as CoreView,
      dispatch,
      clock,
      () => unrecorded,
    );
    // Longer than a lease and than any notice: a disk that is full for ten minutes.
    for (let waited = 0; waited < 600_000; waited += 10_000, clock.advance(10_000))
      await expect(words.record(wordOf(9))).rejects.toMatchObject({ code: 'wrong_state' });
    // Recorded, and not folded yet.
    unrecorded = false;
    await expect(words.record(wordOf(9))).rejects.toMatchObject({ code: 'wrong_state' });
    view = knowing({ r1: { epoch: 10 } });
    await words.record(wordOf(9));
    expect(streams).toEqual(['revocation-acme.r1']);
  });

  it('of one that kept its keys answers a read-only, and nothing that ends all use', async () => {
    const view = knowing({
      readOnly: { epoch: 6, kind: 'read-only' },
      suspend: { epoch: 7 },
      kill: { epoch: 7, kind: 'kill' },
    });
    expect(await recordedIn(view, 7, anchor, 'kept')).toEqual(['revocation-acme.readOnly']);
    // Who dropped them protects nothing either.
    expect(await recordedIn(view, 7)).toHaveLength(3);
  });

  it('about one service answers for no other and not for the tenant', async () => {
    const view = knowing({
      all: { epoch: 5 },
      billing: { epoch: 6, scope: { service: 'billing' } },
      mail: { epoch: 7, scope: { service: 'mail' } },
    });
    const streams = await recordedIn(view, 7, l3KeyId('acme', 'billing'));
    expect(streams).toEqual(['revocation-acme.billing']);
  });
});
