import type { Secret } from '@kcm/crypto';
import { KeyedTurns, uuidv4, type Random } from '@kcm/kernel';
import { bootOfPong, KmipFailure, PING, ResultReason } from '@kcm/kmip';
import type { Peer, PushChannel } from '@kcm/kmip/server';

/** How long a boot has to show that it lives when another claims to be it (leases.md step 1). */
const PING_MS = 2_000;
const CLONES_KEPT = 10_000;

/** One start of an Edge, known by the key-wrapping key (KWK) that it registered. Memory only. */
export interface Boot {
  readonly edge: string;
  readonly boot: string;
  /** Unique identifier of its KWK. */
  readonly kwkUid: string;
  readonly kwk: Secret;
  /** The only request connection that may use the KWK. */
  readonly connection: number;
  usable: boolean;
  push: PushChannel | null;
}
export interface BootsParts {
  readonly random: Random;
  /** Ends a request connection. */
  readonly disconnect: (connection: number) => void;
  /** The same boot lives twice: a machine was cloned. Must not throw. */
  readonly onCloned: (edge: string, boot: string) => void;
}

/** Which boots of which Edges are here, and that no boot is here twice. */
export class Boots {
  readonly #boots = new Map<string, Boot>();
  readonly #byConnection = new Map<number, Boot>();
  readonly #cloned = new Set<string>();
  /** Claims of one boot are settled one after the other. */
  readonly #turns = new KeyedTurns();

  constructor(private readonly parts: BootsParts) {}

  /**
   * Takes over `kwk` and answers its unique identifier; what the boot registered before is gone.
   * @throws KmipFailure(PermissionDenied) when the boot is cloned
   */
  register(peer: Peer, edge: string, boot: string, kwk: Secret): Promise<string> {
    const key = keyOf(edge, boot);
    return this.#turns.take(key, async () => {
      const standing = this.#boots.get(key);
      const other = standing !== undefined && standing.connection !== peer.connection;
      try {
        if (other) await this.#refuseTwin(standing);
        this.#refuseCloned(key);
      } catch (error) {
        kwk.dispose();
        throw error;
      }
      const push = other ? null : (standing?.push ?? null);
      if (standing !== undefined) this.#remove(standing);
      if (other) this.#end(standing);
      const before = this.ofConnection(peer.connection);
      if (before !== null) this.destroy(before);
      const kwkUid = `kwk-${uuidv4(this.parts.random)}`;
      const { connection } = peer;
      const made: Boot = { edge, boot, kwkUid, kwk, connection, usable: true, push };
      this.#boots.set(key, made);
      this.#byConnection.set(connection, made);
      return kwkUid;
    });
  }

  /**
   * Asks which boot is at the other end of a push connection and keeps it, or closes it. Which boot
   * can be told of changes from now on; null: closed.
   */
  async adopt(edge: string, channel: PushChannel): Promise<string | null> {
    try {
      const answer = await channel.requester.call('Query', PING, { timeoutMs: PING_MS });
      const boot = bootOfPong(answer);
      await this.#turns.take(keyOf(edge, boot), () => this.#adoptAs(edge, boot, channel));
      return this.channel(edge, boot) === channel ? boot : null;
    } catch {
      channel.close();
      return null;
    }
  }

  /** The boot whose KWK was registered on this connection. */
  ofConnection(connection: number): Boot | null {
    return this.#byConnection.get(connection) ?? null;
  }

  /** How many Edges have a boot with a push connection. */
  get edges(): number {
    const standing = [...this.#boots.values()].filter(({ push }) => push !== null);
    return new Set(standing.map(({ edge }) => edge)).size;
  }

  /** Those that can be told of changes. */
  reachable(which: (boot: Boot) => boolean): readonly Boot[] {
    return [...this.#boots.values()].filter((boot) => boot.push !== null && which(boot));
  }

  channel(edge: string, boot: string): PushChannel | null {
    return this.#boots.get(keyOf(edge, boot))?.push ?? null;
  }

  /** A request connection is over: its KWK cannot be used any more. */
  released(connection: number): void {
    const boot = this.ofConnection(connection);
    if (boot !== null) this.destroy(boot);
  }

  /** Forgets the boot, fills its KWK with zeros and ends its push connection. */
  destroy(boot: Boot): void {
    this.#remove(boot);
    boot.push?.close();
  }

  /** Ends the push connections of those peers that this names. */
  closePush(which: (peer: Peer) => boolean): void {
    for (const { push } of this.#boots.values())
      if (push !== null && which(push.peer)) push.close();
  }

  dropAll(): void {
    for (const boot of this.#boots.values()) this.destroy(boot);
  }

  async #adoptAs(edge: string, boot: string, channel: PushChannel): Promise<void> {
    const standing = this.#boots.get(keyOf(edge, boot));
    if (standing === undefined) return channel.close();
    if (standing.push !== null) {
      try {
        await this.#refuseTwin(standing);
      } catch {
        return channel.close();
      }
      standing.push?.close();
    }
    standing.push = channel;
    void channel.closed.then(() => {
      if (standing.push === channel) standing.push = null;
    });
  }

  /**
   * An answer of the standing boot while another one claims to be it: both are the same memory.
   * @throws KmipFailure(PermissionDenied) to the claimant, after ending the standing one
   */
  async #refuseTwin(standing: Boot): Promise<void> {
    if (standing.push === null || !(await lives(standing))) return;
    this.#remember(keyOf(standing.edge, standing.boot));
    this.#remove(standing);
    this.#end(standing);
    this.parts.onCloned(standing.edge, standing.boot);
    throw cloned();
  }

  #refuseCloned(key: string): void {
    if (this.#cloned.has(key)) throw cloned();
  }

  #remember(key: string): void {
    this.#cloned.add(key);
    const [oldest] = this.#cloned;
    if (this.#cloned.size > CLONES_KEPT && oldest !== undefined) this.#cloned.delete(oldest);
  }

  #remove(boot: Boot): void {
    const key = keyOf(boot.edge, boot.boot);
    if (this.#boots.get(key) === boot) this.#boots.delete(key);
    if (this.#byConnection.get(boot.connection) === boot)
      this.#byConnection.delete(boot.connection);
    boot.kwk.dispose();
  }

  #end(boot: Boot): void {
    boot.push?.close();
    this.parts.disconnect(boot.connection);
  }
}

const keyOf = (edge: string, boot: string): string => `${edge}/${boot}`;

const cloned = (): KmipFailure =>
  new KmipFailure(ResultReason.PermissionDenied, 'forbidden: this boot is here twice');

async function lives({ boot, push }: Boot): Promise<boolean> {
  if (push === null) return false;
  try {
    return bootOfPong(await push.requester.call('Query', PING, { timeoutMs: PING_MS })) === boot;
  } catch {
    return false;
  }
}
