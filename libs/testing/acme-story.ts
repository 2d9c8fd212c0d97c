import {
  defaultPolicy,
  type CallsEvent,
  type CommandOf,
  type DecidedCategory,
  type Grant,
  type WrappedVersion,
} from '@kcm/domain';
import { streamOf } from '@kcm/kernel';
import { Story } from './story.js';

export const acmeStreams = {
  region: streamOf('region', 'local'),
  edge: streamOf('edge', 'local', 'e1'),
  calls: streamOf('calls', 'local', 'boot-1'),
  nextCalls: streamOf('calls', 'local', 'boot-2'),
  refused: streamOf('refused', 'local', 'boot-1'),
  tenant: streamOf('tenant', 'acme'),
  access: streamOf('access', 'acme'),
  rootkeys: streamOf('rootkeys', 'acme'),
  claim: streamOf('claim', 'ab'.repeat(32)),
  l2: streamOf('key', 'acme', 'l2-1'),
  l3: streamOf('key', 'acme', 'l3-1'),
  denial: streamOf('revocation', 'acme', 'rev-denied'),
  suspend: streamOf('revocation', 'acme', 'rev-suspend'),
  kill: streamOf('revocation', 'acme', 'rev-kill'),
} as const;

const at = acmeStreams;
const core = { actor: 'core' } as const;
const keystore = { actor: 'keystore' } as const;
const by = (name: string) => ({ actor: `process:${name}` });
const tenantCalls = { actor: 'core', tenant: 'acme' } as const;

const wrapped = (n: number, id: string): WrappedVersion => ({
  wrappedBy: { id, version: '1' },
  digest: String(n).repeat(64),
  commitment: String(n).repeat(32),
});
const outcome = (callId: string): CallsEvent => ({
  type: 'KeystoreCallSucceeded',
  data: { callId, providerRequestId: `req-${callId}` },
});
const intent = (callId: string, purpose: 'connect' | 'lease' | 'probe'): CallsEvent => ({
  type: 'KeystoreCallIntended',
  data: { callId, rootKeyId: 'rk2', operation: 'unwrap', purpose },
});
const grant = (story: Story, grantId: string, more: Partial<Grant> = {}): Grant => ({
  grantId,
  holder: 'edge:e1',
  boot: 'edge-boot-1',
  key: 'l3-1',
  version: 1,
  service: 'billing',
  seconds: 20,
  endsAt: story.after(20),
  epoch: 0,
  callId: 'c2',
  providerRequestId: 'req-c2',
  ...more,
});

function sealAndEnrol(story: Story): void {
  const run = <K extends DecidedCategory>(...args: Parameters<typeof story.run<K>>) =>
    story.run<K>(...args);
  run<'region'>(at.region, {
    kind: 'InitializeRegion',
    region: {
      seal: 'shamir',
      setId: 'set-1',
      shares: 3,
      threshold: 2,
      shareDigests: ['1', '2', '3'].map((digit) => digit.repeat(64)),
      keys: { signing: 'c2lnbg', issuer: 'aXNz', transport: 'dHJh', ca: 'PEM' },
    },
  });
  story.note(at.calls, [
    { type: 'ProcessStarted', data: { boot: 'boot-1', kind: 'core', version: '0.1.0' } },
  ]);
  run<'region'>(at.region, { kind: 'RecordUnsealed', boot: 'boot-1' }, core);
  run<'region'>(at.region, {
    kind: 'RecordToken',
    token: {
      jti: 'j1',
      tenant: 'acme',
      subject: 'sub-admin',
      roles: ['tenant-admin'],
      expiresAt: story.after(3600),
    },
  });
  const certificate = {
    san: 'kcm://region/local/edge/e1',
    certificateSha256: 'cd'.repeat(32),
    notAfter: story.after(90 * 86_400),
  };
  run<'region'>(at.region, { kind: 'RecordCertificate', certificate });
  const { certificateSha256, notAfter } = certificate;
  run<'edge'>(at.edge, { kind: 'EnrolEdge', services: ['billing'], certificateSha256, notAfter });
}

function connect(story: Story): void {
  const request = (rootKeyId: string, operation: string): CommandOf<'rootkeys'> => ({
    kind: 'RequestConnection',
    rootKeyId,
    keystore: 'software',
    reference: { url: 'http://127.0.0.1:7000', key: rootKeyId },
    mode: 'hyok',
    credentialsDigest: 'ef'.repeat(32),
    operation,
  });
  story
    .run<'tenant'>(at.tenant, {
      kind: 'RegisterTenant',
      homeRegion: 'local',
      policy: defaultPolicy,
    })
    .run<'rootkeys'>(at.rootkeys, request('rk1', 'op-connect-1'))
    .run<'rootkeys'>(
      at.rootkeys,
      {
        kind: 'RefuseConnection',
        rootKeyId: 'rk1',
        step: 'auth',
        code: 'keystore_auth_failed',
        callId: null,
      },
      by('onboarding'),
    )
    .run<'rootkeys'>(at.rootkeys, request('rk2', 'op-connect-2'))
    .note(at.calls, [intent('c1', 'connect')], tenantCalls)
    .note(at.calls, [outcome('c1')], tenantCalls)
    .run<'claim'>(at.claim, { kind: 'ClaimRootKey', tenant: 'acme', rootKeyId: 'rk2' }, core)
    .run<'rootkeys'>(
      at.rootkeys,
      {
        kind: 'ConfirmConnection',
        rootKeyId: 'rk2',
        resolved: 'software:rk2',
        keyVersion: '1',
        callId: 'c1',
        providerRequestId: 'req-c1',
      },
      core,
    )
    .run<'key'>(
      at.l2,
      { kind: 'CreateKey', level: 'L2', service: null, parent: 'rk2', ...wrapped(1, 'rk2') },
      by('onboarding'),
    )
    .run<'tenant'>(at.tenant, { kind: 'ActivateTenant' })
    .run<'tenant'>(at.tenant, { kind: 'MapService', service: 'billing' })
    .run<'key'>(
      at.l3,
      { kind: 'CreateKey', level: 'L3', service: 'billing', parent: 'l2-1', ...wrapped(2, 'l2-1') },
      by('onboarding'),
    )
    .run<'tenant'>(at.tenant, { kind: 'MapService', service: 'mail' })
    .run<'tenant'>(at.tenant, { kind: 'UnmapService', service: 'mail' })
    .run<'tenant'>(at.tenant, {
      kind: 'ChangePolicy',
      policy: { ...defaultPolicy, leaseSeconds: 20 },
    });
}

function use(story: Story): void {
  story
    .run<'rootkeys'>(at.rootkeys, {
      kind: 'RequestProbe',
      rootKeyId: 'rk2',
      operation: 'op-probe',
    })
    .run<'rootkeys'>(
      at.rootkeys,
      {
        kind: 'RecordProbe',
        rootKeyId: 'rk2',
        operation: 'op-probe',
        outcome: 'ok',
        code: null,
        step: null,
        callId: 'c1',
        providerRequestId: 'req-c1',
      },
      core,
    )
    .run<'rootkeys'>(
      at.rootkeys,
      { kind: 'RecordKeyVersion', rootKeyId: 'rk2', keyVersion: '2' },
      core,
    )
    .note(at.calls, [intent('c2', 'lease')], tenantCalls)
    .note(at.calls, [outcome('c2')], tenantCalls)
    .note(
      at.calls,
      [{ type: 'LeasesGranted', data: { grants: [grant(story, 'g1')] } }],
      tenantCalls,
    )
    .run<'key'>(at.l3, { kind: 'RequestRotation', operation: 'op-rotate-1' })
    .run<'key'>(
      at.l3,
      { kind: 'RefuseRotation', operation: 'op-rotate-1', code: 'root_key_unreachable' },
      core,
    )
    .run<'key'>(at.l3, { kind: 'RequestRotation', operation: 'op-rotate-2' })
    .run<'key'>(
      at.l3,
      { kind: 'CompleteRotation', from: 1, operation: 'op-rotate-2', ...wrapped(3, 'l2-1') },
      core,
    )
    .note(
      at.calls,
      [
        {
          type: 'LeasesRenewed',
          data: { grants: [grant(story, 'g2'), grant(story, 'g3', { version: 2 })] },
        },
      ],
      tenantCalls,
    )
    .note(at.calls, [
      {
        type: 'UsageReported',
        data: {
          holder: 'edge:e1',
          boot: 'edge-boot-1',
          seq: 1,
          from: story.now,
          to: story.after(1),
          entries: [
            {
              tenant: 'acme',
              key: 'l3-1',
              version: 1,
              operation: 'encrypt',
              ok: 2,
              refused: {},
              bytes: 10,
            },
          ],
          statement: 'a.b.c',
        },
      },
    ])
    .note(
      at.refused,
      [
        {
          type: 'CommandRefused',
          data: {
            code: 'forbidden',
            action: 'POST /v1/tenants/{t}/activate',
            resource: '/v1/tenants/acme',
            count: 1,
          },
        },
      ],
      { actor: 'sub-stranger', tenant: 'acme' },
    );
}

/** Opens the revocation of a lock as the process would. */
function open(
  story: Story,
  id: 'denial' | 'suspend' | 'kill',
  kind: 'provider-denied' | 'suspend' | 'kill',
  epoch: number,
  holders: readonly { id: string; lastGrantEnds: string }[],
): void {
  const denied = kind === 'provider-denied';
  story.run<'revocation'>(
    at[id],
    {
      kind: 'OpenRevocation',
      revocation: {
        kind,
        scope: id === 'suspend' ? { service: 'billing' } : { all: true },
        cause: denied ? 'root_key_disabled' : 'reason',
        lockedBy: denied ? 'keystore' : 'sub-admin',
        startedAt: story.now,
        hardBound: story.after(21),
        epoch,
        holders,
        probe: denied ? { rootKeyId: 'rk2', callId: 'c3', providerRequestId: 'req-c3' } : null,
      },
    },
    by('revocation'),
  );
}

function denyAndRestore(story: Story): void {
  const seen = { rootKeyId: 'rk2', callId: 'c3', providerRequestId: 'req-c3' } as const;
  story
    .run<'rootkeys'>(
      at.rootkeys,
      { kind: 'RecordIndeterminate', ...seen, code: 'root_key_unreachable' },
      keystore,
    )
    .note(at.calls, [intent('c3', 'lease')], tenantCalls)
    .note(
      at.calls,
      [
        {
          type: 'KeystoreCallRefused',
          data: {
            callId: 'c3',
            cause: 'denied',
            code: 'root_key_disabled',
            providerRequestId: 'req-c3',
          },
        },
      ],
      tenantCalls,
    )
    .run<'access'>(
      at.access,
      {
        kind: 'TakeLock',
        lock: 'rev-denied',
        lockKind: 'providerDenied',
        scope: { all: true },
        owner: 'keystore',
        cause: 'root_key_disabled',
        ...seen,
      },
      keystore,
    )
    .run<'rootkeys'>(
      at.rootkeys,
      { kind: 'RecordDenied', ...seen, code: 'root_key_disabled' },
      keystore,
    );
  open(story, 'denial', 'provider-denied', 1, [{ id: 'edge:e1', lastGrantEnds: story.after(10) }]);
  story
    .note(
      at.calls,
      [
        {
          type: 'LeaseRefused',
          data: { holder: 'edge:e1', key: 'l3-1', service: 'billing', code: 'root_key_disabled' },
        },
      ],
      tenantCalls,
    )
    .run<'revocation'>(
      at.denial,
      {
        kind: 'RecordAcknowledgement',
        acknowledgement: {
          holder: 'edge:e1',
          boot: 'edge-boot-1',
          refusedAt: story.now,
          erasedAt: null,
          statement: 'a.b.c',
        },
      },
      core,
    )
    .run<'revocation'>(
      at.denial,
      {
        kind: 'RecordReceipt',
        receipt: 'rc-1',
        receiptKind: 'provider-denied',
        digest: '4'.repeat(64),
      },
      by('receipts'),
    )
    .run<'access'>(
      at.access,
      { kind: 'ReleaseLock', lock: 'rev-denied', owner: 'keystore' },
      keystore,
    )
    .run<'rootkeys'>(
      at.rootkeys,
      { kind: 'RecordRestored', rootKeyId: 'rk2', callId: 'c4', providerRequestId: null },
      keystore,
    )
    .run<'revocation'>(
      at.denial,
      { kind: 'RecordReleased', releasedBy: 'keystore' },
      by('revocation'),
    );
}

function suspendBlockAndRestart(story: Story): void {
  const take = (lock: string, lockKind: 'suspended' | 'blocked'): CommandOf<'access'> => ({
    kind: 'TakeLock',
    lock,
    lockKind,
    scope: lockKind === 'suspended' ? { service: 'billing' } : { all: true },
    owner: lockKind === 'suspended' ? 'tenant' : 'platform',
    cause: 'reason',
    lockedBy: 'sub-admin',
  });
  story.run<'access'>(at.access, take('rev-suspend', 'suspended'));
  open(story, 'suspend', 'suspend', 3, []);
  story
    .run<'access'>(at.access, take('block-1', 'blocked'), { actor: 'sub-operator' })
    .run<'tenant'>(at.tenant, { kind: 'RecordBlocked', lock: 'block-1' }, by('revocation'))
    .run<'access'>(
      at.access,
      { kind: 'ReleaseLock', lock: 'block-1', owner: 'platform' },
      { actor: 'sub-operator' },
    )
    .run<'tenant'>(at.tenant, { kind: 'RecordUnblocked', lock: 'block-1' }, by('revocation'))
    .note(at.calls, [intent('c5', 'probe')], tenantCalls)
    .note(
      at.calls,
      [
        {
          type: 'KeystoreCallFailed',
          data: {
            callId: 'c5',
            cause: 'indeterminate',
            code: 'root_key_unreachable',
            providerRequestId: null,
          },
        },
      ],
      tenantCalls,
    )
    .note(at.calls, [intent('c6', 'probe')], tenantCalls)
    .run<'region'>(at.region, { kind: 'RecordSealed', boot: 'boot-1' }, core)
    .note(at.nextCalls, [
      { type: 'ProcessStarted', data: { boot: 'boot-2', kind: 'core', version: '0.1.0' } },
    ])
    .note(at.calls, [{ type: 'KeystoreCallOutcomeUnknown', data: { callId: 'c6' } }], {
      ...by('calls'),
      tenant: 'acme',
    });
}

function killAndShred(story: Story): void {
  story.run<'access'>(at.access, {
    kind: 'TakeLock',
    lock: 'rev-kill',
    lockKind: 'killed',
    scope: { all: true },
    owner: 'tenant',
    cause: 'reason',
    lockedBy: 'sub-admin',
  });
  open(story, 'kill', 'kill', 6, [{ id: 'edge:e2', lastGrantEnds: story.after(10) }]);
  story
    .run<'revocation'>(
      at.kill,
      { kind: 'RequestShred', requestedBy: 'sub-second' },
      { actor: 'sub-second' },
    )
    .run<'revocation'>(
      at.kill,
      {
        kind: 'RecordShredded',
        erasureKeys: 1,
        blobs: 4,
        confirmedAt: story.now,
        word: 'recoverable from a disk image',
      },
      by('shredding'),
    )
    .run<'key'>(at.l3, { kind: 'RecordShredded', revocation: 'rev-kill' }, by('shredding'))
    .run<'key'>(at.l2, { kind: 'RecordShredded', revocation: 'rev-kill' }, by('shredding'))
    .run<'edge'>(at.edge, { kind: 'RevokeEdge' });
}

/** Another tenant's L2 is rotated: its L3 is wrapped anew under the new version. */
function rotateTenantKey(story: Story): void {
  const tenant = streamOf('tenant', 'bank');
  const l2 = streamOf('key', 'bank', 'l2-2');
  const l3 = streamOf('key', 'bank', 'l3-2');
  story
    .run<'tenant'>(tenant, { kind: 'RegisterTenant', homeRegion: 'local', policy: defaultPolicy })
    .run<'tenant'>(tenant, { kind: 'ActivateTenant' })
    .run<'key'>(
      l2,
      { kind: 'CreateKey', level: 'L2', service: null, parent: 'rk3', ...wrapped(4, 'rk3') },
      by('onboarding'),
    )
    .run<'tenant'>(tenant, { kind: 'MapService', service: 'billing' })
    .run<'key'>(
      l3,
      { kind: 'CreateKey', level: 'L3', service: 'billing', parent: 'l2-2', ...wrapped(5, 'l2-2') },
      by('onboarding'),
    )
    .run<'key'>(l2, { kind: 'RequestRotation', operation: 'op-rotate-l2' })
    .run<'key'>(
      l2,
      { kind: 'CompleteRotation', from: 1, operation: 'op-rotate-l2', ...wrapped(6, 'rk3') },
      by('onboarding'),
    )
    .run<'key'>(
      l3,
      {
        kind: 'RecordRewrap',
        version: 1,
        wrappedBy: { id: 'l2-2', version: '2' },
        digest: '7'.repeat(64),
      },
      by('rewrapping'),
    );
}

/** A key of the other tenant goes through every state that there is. */
function liveAndDie(story: Story): void {
  const l3 = streamOf('key', 'bank', 'l3-3');
  const run = (command: CommandOf<'key'>, who: object = {}) => story.run<'key'>(l3, command, who);
  const rotation = { operation: 'op-prepare' } as const;
  const destruction = { version: 1, operation: 'op-destroy-1' } as const;
  story.run<'tenant'>(streamOf('tenant', 'bank'), { kind: 'MapService', service: 'archive' });
  run(
    { kind: 'CreateKey', level: 'L3', service: 'archive', parent: 'l2-2', ...wrapped(8, 'l2-2') },
    by('onboarding'),
  );
  run({ kind: 'RequestRotation', ...rotation, prepare: true });
  run({ kind: 'CompleteRotation', from: 1, ...rotation, ...wrapped(9, 'l2-2') }, by('onboarding'));
  run({ kind: 'ActivateVersion', version: 2, operation: 'op-activate' });
  run({ kind: 'ArchiveVersion', version: 1 });
  run({ kind: 'RecoverVersion', version: 1 });
  const since = story.now;
  run({ kind: 'CompromiseVersions', versions: [2], since, processing: 'refused' });
  run({ kind: 'RequestDestruction', ...destruction, cause: 'command' });
  run({ kind: 'RefuseDestruction', ...destruction, code: 'key_in_use', inUse: 12 });
  const retired = { version: 1, operation: 'op-retire-1' } as const;
  run({ kind: 'RequestDestruction', ...retired, cause: 'retired' }, by('rotation'));
  run({ kind: 'CompleteDestruction', ...retired }, by('retiring'));
  run({ kind: 'RecordErased', version: 1, blobs: 1 }, by('retiring'));
  story.run<'key'>(streamOf('key', 'bank', 'l2-2'), {
    kind: 'ChangeRewrapping',
    paused: true,
    perSecondMax: 50,
  });
}

/** The region gets a newer barrier key, and other shares open it. */
function changeSeal(story: Story): void {
  const run = (command: CommandOf<'region'>) => story.run<'region'>(at.region, command);
  run({ kind: 'RecordUnsealed', boot: 'boot-3' });
  run({ kind: 'RecordKeyringRotated', setId: 'set-1', entry: 2 });
  run({
    kind: 'RecordRekeyed',
    rekey: {
      seal: 'keystore',
      setId: 'set-2',
      shares: 2,
      threshold: 2,
      shareDigests: ['4', '5'].map((digit) => digit.repeat(64)),
      keystore: { driver: 'vault', resolved: 'cluster/transit/seal/1', generation: 2 },
      replaces: 'set-1',
    },
    entry: 2,
  });
}

/** An Edge is taken over: what it held is marked, and what may have been exposed is written down. */
function takeOver(story: Story): void {
  const edge = streamOf('edge', 'local', 'e2');
  const key = streamOf('key', 'bank', 'l3-2');
  const certificate = { certificateSha256: 'ab'.repeat(32), notAfter: story.after(90 * 86_400) };
  story.run<'edge'>(edge, { kind: 'EnrolEdge', services: ['billing'], ...certificate });
  const held = grant(story, 'g9', { holder: 'edge:e2', boot: 'edge-boot-2', key: 'l3-2' });
  story.note(at.nextCalls, [{ type: 'LeasesGranted', data: { grants: [held] } }], {
    actor: 'core',
    tenant: 'bank',
  });
  const [since, operation] = [story.now, 'op-takeover'];
  const processing = 'refused';
  story.run<'edge'>(edge, { kind: 'CompromiseEdge', since, processing, operation });
  const holder = 'edge:e2';
  story.run<'key'>(
    key,
    { kind: 'CompromiseVersions', versions: [1], since, processing, by: holder },
    by('takeover'),
  );
  const uses = { protected: 2, opened: 1, exported: 1, protectedInAll: 5 };
  const versions = [{ version: 1, from: since, to: story.now, uses }];
  story.run<'key'>(
    key,
    { kind: 'RecordExposure', by: holder, exposure: operation, versions },
    by('takeover'),
  );
  const inAll = { tenants: 1, keys: 1, versions: 1 };
  story.run<'edge'>(edge, { kind: 'RecordEdgeExposure', operation, ...inAll }, by('takeover'));
}

/** The ledger is moved: its copy begins a term of each tenant. */
function move(story: Story, ledger: string, tenants: readonly string[]): void {
  for (const tenant of tenants)
    story.run<'access'>(streamOf('access', tenant), { kind: 'RaiseTerm', ledger }, core);
}

/**
 * The life of one tenant from the region's initialisation to its shred; every event type of the
 * product occurs in it. Acts: connect, use, deny and restore, suspend and block, restart, kill. A
 * second tenant rotates its L2. The ledger is moved; a key of the second tenant goes
 * through every state; the ledger is moved again; an Edge is taken over.
 */
export function acmeStory(): Story {
  const story = new Story();
  sealAndEnrol(story);
  connect(story);
  use(story);
  denyAndRestore(story);
  suspendBlockAndRestart(story);
  killAndShred(story);
  rotateTenantKey(story);
  move(story, 'ledger-2', ['acme', 'bank']);
  liveAndDie(story);
  move(story, 'ledger-3', ['bank']);
  changeSeal(story);
  takeOver(story);
  move(story, 'ledger-4', ['bank']);
  return story;
}
