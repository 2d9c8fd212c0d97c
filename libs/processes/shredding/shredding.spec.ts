import { acmeStreams, processContract, ProcessFold, Story } from '@kcm/testing';
import { shredding } from './index.js';

const { kill, l2, l3, tenant } = acmeStreams;
const todo = (story: Story) => new ProcessFold(shredding).add(story.events).todo('acme');
const created = { type: 'KeyCreated', data: { level: 'L2', service: null, parent: 'p' } } as const;
const revoked = { type: 'KeyRevoked', data: { revocation: 'rev-kill' } } as const;
const asked = { type: 'RevocationShredRequested', data: { requestedBy: 'sub-b' } } as const;
const shredded = { type: 'RevocationShredded', data: {} } as const;

const revoke = (key: string, stream: string) => ({
  id: `revoke:${key}`,
  step: { kind: 'key', stream, command: { kind: 'RecordShredded', revocation: 'rev-kill' } },
});

describe('process shredding', () => {
  processContract(shredding);

  it('shreds when asked, and revokes each key only after the material is gone', () => {
    const story = new Story().note(l2, [created]).note(l3, [created]);
    expect(todo(story)).toEqual([]);
    expect(todo(story.note(kill, [asked]))).toEqual([
      {
        id: 'shred:rev-kill',
        step: { kind: 'shred', tenant: 'acme', revocation: 'rev-kill' },
      },
    ]);
    expect(todo(story.note(kill, [shredded]))).toEqual([revoke('l2-1', l2), revoke('l3-1', l3)]);
    expect(todo(story.note(l2, [revoked]))).toEqual([revoke('l3-1', l3)]);
    expect(todo(story.note(l3, [revoked]))).toEqual([]);
  });

  it('revokes a key whose creation was under way during the shred', () => {
    const story = new Story().note(kill, [asked]).note(kill, [shredded]).note(l3, [created]);
    expect(todo(story)).toEqual([revoke('l3-1', l3)]);
  });

  it('tells whoever waits for the key of a service that there will be none', () => {
    const mapped = (service: string) => ({ type: 'ServiceMapped', data: { service } }) as const;
    const story = new Story().note(tenant, [mapped('billing'), mapped('mail')]);
    story.note(l3, [{ type: 'KeyCreated', data: { ...created.data, service: 'billing' } }]);
    story.note(kill, [asked, shredded]).note(l3, [revoked]);
    const command = { kind: 'UnmapService', service: 'mail', code: 'tenant_killed' };
    expect(todo(story)).toMatchObject([{ id: 'unmap:mail', step: { command } }]);
    story.note(tenant, [{ type: 'ServiceUnmapped', data: { service: 'mail' } }]);
    expect(todo(story)).toEqual([]);
  });
});
