import { defaultPolicy, type TenantPolicy } from '@kcm/domain';
import { tenantKeys } from '@projections/tenant-keys';
import { acmeStreams, foldProjection, Story } from '@kcm/testing';
import { keyShown } from './key-view.js';

const { l3 } = acmeStreams;
const never = { maxAgeSeconds: null, maxUses: null, retireAfterSeconds: null };
const days = (maxAgeSeconds: number | null): TenantPolicy => ({
  ...defaultPolicy,
  rotation: { L2: never, L3: { ...never, maxAgeSeconds } },
});
const DAY = 86_400;

function made(): Story {
  const wrapped = { wrappedBy: { id: 'l2-1', version: '1' }, digest: 'd', commitment: 'c' };
  return new Story().run<'key'>(l3, {
    kind: 'CreateKey',
    level: 'L3',
    service: 'billing',
    parent: 'l2-1',
    ...wrapped,
  });
}
const refuse = (story: Story, operation: string) =>
  story
    .run<'key'>(l3, { kind: 'RequestRotation', operation, cause: 'age' })
    .run<'key'>(l3, { kind: 'RefuseRotation', operation, code: 'root_key_unreachable' });
function shown({ events }: Story, policy: TenantPolicy) {
  return keyShown(foldProjection(tenantKeys, events)['acme/l3-1']!, policy);
}

describe('When a key rotates, as it is shown', () => {
  it('is before the age of the policy that holds now; never without one', () => {
    const story = made();
    const since = Date.parse(story.events[0]!.meta.occurredAt);
    const { rotatesAt, rotatesFor } = shown(story, days(90 * DAY));
    expect(rotatesFor).toBe('age');
    expect(Date.parse(rotatesAt!) - since).toBeLessThan(90 * DAY * 1000);
    expect(Date.parse(rotatesAt!) - since).toBeGreaterThan(82 * DAY * 1000);
    expect(shown(story, days(null))).toMatchObject({ rotatesAt: null, rotatesFor: null });
  });

  it('is when it is asked for again where it is late and was refused, and says why', () => {
    const story = refuse(made().wait(91 * DAY), 'o1');
    const again = shown(story, days(90 * DAY));
    expect(again).toMatchObject({
      rotatesFor: 'refused',
      rotationRefused: { code: 'root_key_unreachable' },
    });
    expect(again.rotatesAt! > story.events.at(-1)!.meta.occurredAt).toBe(true);
    expect(shown(refuse(made(), 'o1'), days(90 * DAY))).toMatchObject({ rotatesFor: 'age' });
  });

  it('is never for a key that somebody took out of use, or that rotates now', () => {
    const aside = made().run<'key'>(l3, { kind: 'DeactivateVersion', version: 1 });
    expect(shown(aside, days(90 * DAY))).toMatchObject({ rotatesAt: null, rotatesFor: null });
    const rotating = made().run<'key'>(l3, { kind: 'RequestRotation', operation: 'o1' });
    expect(shown(rotating, days(90 * DAY))).toMatchObject({ rotatesAt: null });
  });
});
