import { closes, type CoreView, type Holder, type LeaseDesk } from '@kcm/custody';
import { type AccessState, locksOf } from '@kcm/domain';
import { failureOf, noTracer, rfc3339, type Tracer } from '@kcm/kernel';
import {
  attribute,
  KCM,
  LinkType,
  State,
  type Attribute,
  type KcmAccess,
  type RequestOf,
} from '@kcm/kmip';
import type { Boot, Boots } from './boots.js';
import type { KeyChange } from './key-changes.js';
import { notifiedUid } from './visibility.js';

/** How long a holder may take to refuse; after that its lease ends it. */
const NOTIFY_MS = 5_000;
/** How long a revoked Edge is given to drop what it holds before it is cut off. */
const REVOKED_MS = 1_000;

/**
 * A change of access. `service` null: the whole tenant. An unrecorded act has the last recorded
 * pair.
 */
export interface AccessChange {
  readonly tenant: string;
  readonly service: string | null;
  readonly access: KcmAccess;
  readonly term: number;
  readonly epoch: number;
  /** After a shred. */
  readonly destroyed?: boolean;
  /** The trace that the change is part of. */
  readonly traceparent?: string | undefined;
}
/** What changed of a key, with the pair under which it did. */
export type KeyNotice = KeyChange & Pick<AccessChange, 'tenant' | 'term' | 'epoch' | 'traceparent'>;
export interface Notified {
  readonly edge: string;
  readonly boot: string;
  /** RFC 3339: the end of its last grant, which ends it whatever happens. */
  readonly endsAt: string;
  /**
   * RFC 3339, Core's clock at the holder's empty Success: it refuses from then on. null: no
   * answer.
   */
  readonly refusedAt: string | null;
}

/**
 * Tells every holder over its push connection (leases.md steps 7 to 9). It never proves anything.
 */
export class Notifier {
  constructor(
    private readonly parts: {
      readonly desk: Pick<LeaseDesk, 'holders' | 'tenantsOf'>;
      readonly view: Pick<CoreView, 'keys' | 'access'>;
      readonly boots: Pick<Boots, 'channel'>;
      readonly wallMs: () => number;
      readonly tracer?: Tracer;
    },
  ) {}

  /**
   * Resolves when each holder (`only`: if it is this one) has refused or its time is over; never
   * throws.
   */
  notify(change: AccessChange, only: Holder | null = null): Promise<readonly Notified[]> {
    const { tenant, service } = change;
    const uid = notifiedUid(this.parts.view, tenant, service);
    const state = change.destroyed === true ? State.Destroyed : State.Active;
    const told = [
      attribute.enumeration('State', state),
      ...(change.access === 'readOnly' ? [this.#now('Protect Stop Date')] : []),
      attribute.text(KCM.access, change.access),
      ...fence(change),
    ];
    return this.#tell(change, uid, told, only);
  }

  /** What a holder may have missed while it could not be told: the locks on what it holds. */
  async remind(holder: Holder): Promise<void> {
    const { desk, view } = this.parts;
    const locks = desk
      .tenantsOf(holder)
      .flatMap((tenant) => standingLocks(tenant, view.access(tenant)));
    await Promise.all(locks.map((lock) => this.notify(lock, holder)));
  }

  /**
   * Its Edge is not let in any more: the boot's own key has ended at Core, and so has all that was
   * wrapped under it. Resolves when the boot has dropped it or its time is over; never throws.
   */
  async ended({ kwkUid, push }: Boot): Promise<void> {
    const attributes = [attribute.enumeration('State', State.Deactivated)];
    const notice = { uniqueIdentifier: kwkUid, attributes };
    await push?.requester.call('Notify', notice, { timeoutMs: REVOKED_MS }).catch(() => undefined);
  }

  /**
   * As `notify`. Of a takeover a holder of the old version goes on to decrypt with it and asks for
   * the new one. Of any other change nothing is said of the access.
   */
  changed(notice: KeyNotice): Promise<readonly Notified[]> {
    if (notice.kind === 'version') {
      const state = attribute.enumeration('State', notice.state);
      const archived = notice.archived ? [this.#now('Archive Date')] : [];
      return this.#tell(notice, notice.uid, [state, ...archived, ...fence(notice)]);
    }
    const { replaced, state, replacement } = notice;
    return this.#tell(notice, replaced, [
      attribute.enumeration('State', state),
      this.#now('Protect Stop Date'),
      attribute.link(LinkType.ReplacementObjectLink, replacement),
      attribute.text(KCM.access, 'open'),
      ...fence(notice),
    ]);
  }

  #now(name: 'Archive Date' | 'Protect Stop Date'): Attribute {
    return attribute.date(name, Math.floor(this.parts.wallMs() / 1000));
  }

  #tell(
    { tenant, service, traceparent }: Pick<AccessChange, 'tenant' | 'service' | 'traceparent'>,
    uid: string | null,
    attributes: readonly Attribute[],
    only: Holder | null = null,
  ): Promise<readonly Notified[]> {
    const holders = this.parts.desk
      .holders(tenant, service)
      .filter(({ edge, boot }) => only === null || (edge === only.edge && boot === only.boot));
    return Promise.all(
      holders.map(async (holder) => ({
        ...holder,
        refusedAt:
          uid === null
            ? null
            : await this.#send(holder, { uniqueIdentifier: uid, attributes }, traceparent),
      })),
    );
  }

  async #send(
    { edge, boot }: { readonly edge: string; readonly boot: string },
    notice: RequestOf<'Notify'>,
    parent: string | undefined,
  ): Promise<string | null> {
    const channel = this.parts.boots.channel(edge, boot);
    if (channel === null) return null;
    const { tracer = noTracer } = this.parts;
    const span = tracer.start('kmip Notify', 'client', parent, { 'kcm.edge': edge });
    const { traceparent } = span;
    const traced = traceparent === undefined ? {} : { clientCorrelationValue: traceparent };
    try {
      await channel.requester.call('Notify', notice, { timeoutMs: NOTIFY_MS, ...traced });
      span.end();
      return rfc3339(this.parts.wallMs());
    } catch (error) {
      span.end(failureOf(error));
      return null;
    }
  }
}

/** What the holders of a tenant's keys must know of its access now; nothing while it is open. */
export function standingLocks(tenant: string, state: AccessState): readonly AccessChange[] {
  const { term, epoch } = state;
  if (state.status === 'open') return [];
  if (state.status === 'killed') return [{ tenant, service: null, access: 'killed', term, epoch }];
  return locksOf(state).map((lock) => ({
    tenant,
    service: 'service' in lock.scope ? lock.scope.service : null,
    access: closes(lock) ? 'locked' : 'readOnly',
    term,
    epoch,
  }));
}

const fence = ({ term, epoch }: { readonly term: number; readonly epoch: number }): Attribute[] => [
  attribute.long(KCM.term, term),
  attribute.long(KCM.epoch, epoch),
];
