import { uuidv4 } from '@kcm/kernel';
import type { OperationName } from '@kcm/kmip';
import {
  KmipServer,
  type Handlers,
  type Peer,
  type PushChannel,
  type ServerCredentials,
} from '@kcm/kmip/server';
import { networkOf } from '@kcm/platform';
import { Boots } from './boots.js';
import type { KmipFrontParts } from './front-parts.js';
import { kwkHandlers } from './kwk-handlers.js';
import { leaseHandlers } from './lease-handlers.js';
import { Notifier, type AccessChange, type KeyNotice, type Notified } from './notifier.js';
import { serverHandlers } from './server-handlers.js';

/**
 * Core over KMIP 1.4 (leases.md): lets in enrolled Edges of this region and certified workloads,
 * grants through the lease desk, and tells holders of a change over their push connections.
 */
export class KmipFront implements AsyncDisposable {
  private constructor(
    private readonly parts: KmipFrontParts,
    private readonly boots: Boots,
    private readonly notifier: Notifier,
    private readonly server: () => KmipServer,
  ) {}

  /** Listens. @throws Error of node:net when the address cannot be bound */
  static async start(parts: KmipFrontParts): Promise<KmipFront> {
    let server: KmipServer | null = null;
    const boots = new Boots({
      random: parts.random,
      disconnect: (connection) => server?.disconnect((peer) => peer.connection === connection),
      onCloned: parts.onCloned,
    });
    const notifier = new Notifier({ ...parts, boots });
    server = await KmipServer.listen(
      {
        credentials: parts.credentials,
        handlers: handlersOf(parts, boots),
        admit: (peer) => admitted(parts, peer),
        wallMs: parts.wallMs,
        newCorrelationId: () => uuidv4(parts.random),
        ...(parts.tracer === undefined ? {} : { tracer: parts.tracer }),
        onError: parts.onError,
        ...(parts.onAnswered === undefined ? {} : { onAnswered: parts.onAnswered }),
        onRefused: parts.onRefused,
        networkOf,
        onClosed: (peer) => boots.released(peer.connection),
        onPush: (channel) => void adopt(boots, notifier, channel),
      },
      parts.host,
      parts.port,
    );
    const listening = server;
    return new KmipFront(parts, boots, notifier, () => listening);
  }

  get port(): number {
    return this.server().port;
  }

  notify(change: AccessChange): Promise<readonly Notified[]> {
    return this.notifier.notify(change);
  }

  changed(notice: KeyNotice): Promise<readonly Notified[]> {
    return this.notifier.changed(notice);
  }

  /** Edges that can be told of a change now. */
  get edges(): number {
    return this.boots.edges;
  }

  /** Whether a push connection of this boot stands. */
  reachable(edge: string, boot: string): boolean {
    return this.boots.channel(edge, boot) !== null;
  }

  /**
   * Ends every connection whose peer is not admitted any more; nothing is answered on it from now
   * on. An Edge that was revoked is told first, so that it drops what it holds at once.
   */
  async revalidate(): Promise<void> {
    const revoked = this.boots.reachable(
      ({ edge }) => this.parts.view.edge(edge).status === 'revoked',
    );
    const telling = new Set(revoked.map(({ edge }) => edge));
    const gone = (peer: Peer): boolean => !admitted(this.parts, peer);
    this.#cut((peer) => gone(peer) && !telling.has(edgeOf(peer) ?? ''));
    await Promise.all(revoked.map((boot) => this.notifier.ended(boot)));
    this.#cut(gone);
  }

  /** New connections see these; those that stand go on. */
  renew(credentials: ServerCredentials): void {
    this.server().renew(credentials);
  }

  #cut(which: (peer: Peer) => boolean): void {
    this.boots.closePush(which);
    this.server().disconnect(which);
  }

  async close(): Promise<void> {
    this.boots.dropAll();
    await this.server().close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}

/** Everything that Core answers; what is not here is not supported. */
export function handlersOf(parts: KmipFrontParts, boots: Boots): Handlers<Peer> {
  const own = { ...leaseHandlers(parts, boots), ...kwkHandlers(parts, boots) };
  const names: OperationName[] = ['DiscoverVersions', 'Query'];
  const operations = names.concat(Object.keys(own) as OperationName[]);
  return { ...own, ...serverHandlers(operations) };
}

/** An Edge is served with the one certificate of its enrolment, in its region. */
function admitted(
  { region, view }: KmipFrontParts,
  { identity, certificateSha256 }: Peer,
): boolean {
  if (identity.kind === 'workload') return true;
  const edge = view.edge(identity.edge);
  return (
    identity.region === region &&
    edge.status === 'enrolled' &&
    edge.certificateSha256 === certificateSha256
  );
}

const edgeOf = ({ identity }: Peer): string | null =>
  identity.kind === 'edge' ? identity.edge : null;

async function adopt(boots: Boots, notifier: Notifier, channel: PushChannel): Promise<void> {
  const edge = edgeOf(channel.peer);
  if (edge === null) return channel.close();
  const boot = await boots.adopt(edge, channel);
  if (boot !== null) await notifier.remind({ edge, boot });
}
