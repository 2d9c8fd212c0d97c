import { X509Certificate } from 'node:crypto';
import type { Lease } from '@kcm/edge';
import { aeskwWrap, Secret, verifyJws } from '@kcm/crypto';
import type { Json } from '@kcm/kernel';
import {
  attribute,
  KCM,
  KmipFailure,
  PING,
  bootOfPong,
  parseServiceKeyName,
  Attributes,
  ResultReason,
  State,
  wrappedAesKey,
  wrappedKeyPlaintext,
  type Attribute,
} from '@kcm/kmip';
import {
  discoverVersions,
  KmipServer,
  targetOf,
  type Batch,
  type Handlers,
  type Peer,
  type PushChannel,
} from '@kcm/kmip/server';
import type { TestAuthority, TestCertificate } from '@kcm/testing/tls';
import { FakeCore } from './fake-core.js';

const STATES = {
  active: State.Active,
  deactivated: State.Deactivated,
  compromised: State.Compromised,
} as const;

/** Core's KMIP door over a `FakeCore`, on the real codec and real mutual TLS. */
export class KmipPeer {
  readonly core = new FakeCore();
  readonly statements: { readonly kind: string; readonly payload: Json }[] = [];
  /** How the next statements are refused, in order. */
  readonly refuses: ResultReason[] = [];
  readonly kwks = new Map<string, Secret>();
  /** Attributes that answers carry instead of the true ones, by name. */
  readonly lies = new Map<string, Attribute>();
  pushes: PushChannel[] = [];
  #server: KmipServer | null = null;
  #kwkCount = 0;
  readonly #leases = new WeakMap<Batch<Peer>, Map<string, Lease>>();

  private constructor(
    private readonly own: TestCertificate,
    public edgeCertificate: string,
  ) {}

  static async listen(authority: TestAuthority, edgeCertificate: string): Promise<KmipPeer> {
    const peer = new KmipPeer(await authority.server(), edgeCertificate);
    await peer.restart(0);
    return peer;
  }

  get port(): number {
    return this.#server!.port;
  }

  /** As a Core that comes back: it has forgotten every KWK. */
  async restart(port = this.port): Promise<void> {
    await this.close();
    this.kwks.clear();
    this.#server = await KmipServer.listen(
      {
        credentials: this.own,
        admit: () => true,
        wallMs: () => Date.now(),
        newCorrelationId: () => 'peer',
        onError: (error) => {
          throw error;
        },
        onPush: (channel) => this.pushes.push(channel),
        handlers: this.#handlers,
      },
      '127.0.0.1',
      port,
    );
  }

  async close(): Promise<void> {
    for (const push of this.pushes.splice(0)) push.close();
    await this.#server?.close();
    this.#server = null;
  }

  async ping(): Promise<string> {
    return bootOfPong(await this.pushes.at(-1)!.requester.call('Query', PING));
  }

  async notify(uid: string, attributes: readonly Attribute[]): Promise<void> {
    await this.pushes.at(-1)!.requester.call('Notify', { uniqueIdentifier: uid, attributes });
  }

  readonly #handlers: Handlers<Peer> = {
    DiscoverVersions: discoverVersions,
    Register: ({ object, attributes }) => {
      const value = object.keyBlock.value;
      if ('wrapped' in value || new Attributes(attributes).text(KCM.boot) === null)
        throw new KmipFailure(ResultReason.InvalidField, 'not a KWK');
      const uniqueIdentifier = `kwk-${(this.#kwkCount += 1)}`;
      this.kwks.set(uniqueIdentifier, Secret.copy(value.material));
      return { uniqueIdentifier };
    },
    Locate: ({ attributes }, batch) => {
      const name = parseServiceKeyName(new Attributes(attributes).objectName() ?? '');
      const key = name && this.core.tenants.get(name.tenant)?.keys.get(name.service);
      if (!key) return { uniqueIdentifiers: [] };
      const uid = `${name.tenant}/${key.key}/${key.versions.length}`;
      batch.idPlaceholder = uid;
      return { uniqueIdentifiers: [uid] };
    },
    ObtainLease: async (payload, batch) => {
      const uid = targetOf(payload, batch);
      const lease = await this.core.leaseOld(uid);
      if (!lease.ok)
        throw new KmipFailure(
          lease.effect === 'indeterminate'
            ? ResultReason.GeneralFailure
            : lease.code === 'not_found'
              ? ResultReason.ItemNotFound
              : ResultReason.PermissionDenied,
          lease.code,
        );
      const held = this.#leases.get(batch) ?? new Map<string, Lease>();
      this.#leases.set(batch, held.set(uid, lease));
      const told = this.lies.get('Lease Time')?.value.value;
      const leaseTime = typeof told === 'number' ? told : lease.seconds;
      return { uniqueIdentifier: uid, leaseTime, lastChangeDate: 0 };
    },
    GetUsageAllocation: (payload, batch) => {
      const uniqueIdentifier = targetOf(payload, batch);
      if (this.#leaseOf(payload, batch).access === 'readOnly')
        throw new KmipFailure(ResultReason.PermissionDenied, 'tenant_read_only');
      return { uniqueIdentifier };
    },
    GetAttributes: (payload, batch) => {
      const lease = this.#leaseOf(payload, batch);
      const all = [
        attribute.enumeration('State', STATES[lease.state]),
        attribute.text(KCM.processing, lease.mayProcess ? 'allowed' : 'refused'),
        ...(lease.mayProtect ? [] : [attribute.date('Protect Stop Date', 1)]),
        attribute.text('Object Group', lease.uid.split('/')[0]!),
        attribute.integer(KCM.version, lease.version),
        attribute.long(KCM.term, lease.term),
        attribute.long(KCM.epoch, lease.epoch),
        attribute.text(KCM.access, lease.access),
        attribute.text(KCM.export, lease.mayExport ? 'allowed' : 'refused'),
        attribute.text(KCM.grant, lease.grantId),
        attribute.text(KCM.cache, lease.policy.off ? 'off' : 'on'),
        attribute.integer(KCM.cacheTtl, lease.policy.ttlSeconds),
        attribute.long(KCM.cacheMaxUses, lease.policy.maxUses),
        attribute.integer(KCM.cacheMaxAge, lease.policy.maxAgeSeconds),
      ];
      const attributes = all
        .map((entry) => this.lies.get(entry.name) ?? entry)
        .filter(({ name }) => payload.attributeNames.includes(name));
      return { uniqueIdentifier: lease.uid, attributes };
    },
    Get: (payload, batch) => {
      const lease = this.#leaseOf(payload, batch);
      const kwkUid = payload.keyWrappingSpecification?.encryptionKey?.uniqueIdentifier ?? '';
      const kwk = this.kwks.get(kwkUid);
      if (kwk === undefined) throw new KmipFailure(ResultReason.ItemNotFound, 'not_found');
      const { uid, version, term, epoch } = lease;
      const identity = { uid, tenant: uid.split('/')[0]!, version, term, epoch };
      const told = this.lies.get('inside')?.value.value;
      const inside = typeof told === 'string' ? { ...identity, uid: told } : identity;
      const plain = lease.l3.use((bytes) => wrappedKeyPlaintext(inside, bytes));
      return {
        uniqueIdentifier: uid,
        object: wrappedAesKey(aeskwWrap(kwk, Secret.own(plain)), kwkUid),
      };
    },
    ModifyAttribute: ({ uniqueIdentifier, attribute: given }) => {
      if (!this.kwks.has(uniqueIdentifier ?? ''))
        throw new KmipFailure(ResultReason.ItemNotFound, 'not_found');
      const key = new X509Certificate(this.edgeCertificate).publicKey;
      const { payload } = verifyJws(new Attributes([given]).text(given.name) ?? '', key);
      this.statements.push({ kind: given.name, payload });
      const refusal = this.refuses.shift();
      if (refusal !== undefined) throw new KmipFailure(refusal, 'refused by the test');
      return { uniqueIdentifier: uniqueIdentifier!, attribute: given };
    },
    Revoke: (payload, batch) => ({ uniqueIdentifier: targetOf(payload, batch) }),
    Destroy: (payload, batch) => {
      const uid = targetOf(payload, batch);
      this.kwks.get(uid)?.dispose();
      this.kwks.delete(uid);
      return { uniqueIdentifier: uid };
    },
  };

  #leaseOf(payload: { readonly uniqueIdentifier?: string }, batch: Batch<Peer>): Lease {
    const lease = this.#leases.get(batch)?.get(targetOf(payload, batch));
    if (lease === undefined)
      throw new KmipFailure(ResultReason.IllegalOperation, 'obtain a lease first');
    return lease;
  }
}
