import type { CoreView, LeaseDesk } from '@kcm/custody';
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
import type { Boots } from './boots.js';
import { notifiedUid } from './visibility.js';

/** How long a holder may take to refuse; after that its lease ends it. */
const NOTIFY_MS = 5_000;

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
/** A new version of a service key took over. */
export interface Rotation {
  readonly tenant: string;
  readonly service: string;
  readonly replaced: string;
  readonly replacement: string;
  readonly term: number;
  readonly epoch: number;
  readonly traceparent?: string | undefined;
}
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
      readonly desk: Pick<LeaseDesk, 'holders'>;
      readonly view: Pick<CoreView, 'keys'>;
      readonly boots: Pick<Boots, 'channel'>;
      readonly wallMs: () => number;
      readonly tracer?: Tracer;
    },
  ) {}

  /** Resolves when each holder has refused or its time is over; never throws. */
  notify(change: AccessChange): Promise<readonly Notified[]> {
    const { tenant, service } = change;
    const uid = notifiedUid(this.parts.view, tenant, service);
    const state = change.destroyed === true ? State.Destroyed : State.Active;
    return this.#tell(change, uid, [
      attribute.enumeration('State', state),
      attribute.text(KCM.access, change.access),
      ...fence(change),
    ]);
  }

  /** As above; a holder of the old version goes on to decrypt with it and asks for the new one. */
  rotated(rotation: Rotation): Promise<readonly Notified[]> {
    const { replaced, replacement } = rotation;
    return this.#tell(rotation, replaced, [
      attribute.enumeration('State', State.Active),
      attribute.date('Protect Stop Date', Math.floor(this.parts.wallMs() / 1000)),
      attribute.link(LinkType.ReplacementObjectLink, replacement),
      attribute.text(KCM.access, 'open'),
      ...fence(rotation),
    ]);
  }

  #tell(
    { tenant, service, traceparent }: AccessChange | Rotation,
    uid: string | null,
    attributes: readonly Attribute[],
  ): Promise<readonly Notified[]> {
    const holders = this.parts.desk.holders(tenant, service);
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

const fence = ({ term, epoch }: { readonly term: number; readonly epoch: number }): Attribute[] => [
  attribute.long(KCM.term, term),
  attribute.long(KCM.epoch, epoch),
];
