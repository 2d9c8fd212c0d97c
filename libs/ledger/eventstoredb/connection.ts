import type { EventStoreDBClient } from '@eventstore/db-client';
import { LedgerRefused } from '../errors.js';
import { clientOf } from './address.js';
import { Silence } from './failures.js';
import type { Link } from './server.js';

/** Of a server whose records tell their positions. */
const VERSION_MIN = [22, 10] as const;
const UNKNOWN = 'unknown';

interface Channel {
  close(): void;
}
/** What the client has at run time and keeps from its types. */
interface Inside {
  readonly createChannel: () => Promise<Channel>;
  readonly capabilities: Promise<{ readonly serverVersion: string }>;
}

/** A client that has an end: its own leaves the channel open, and so the process alive. */
export class Connection {
  readonly client: EventStoreDBClient;
  #channel: Channel | null = null;
  #closed = false;

  /** Reaches nobody yet. @throws KcmError invalid_request */
  constructor(url: string) {
    this.client = clientOf(url);
    const { createChannel } = this.#inside;
    const kept = async (): Promise<Channel> => {
      const channel = await createChannel();
      this.#channel = channel;
      if (this.#closed) channel.close();
      return channel;
    };
    Object.defineProperties(this.client, {
      createChannel: { value: kept },
      // One call an append: batches of all clients share one table of promises in this process, an
      // answer that never comes has no deadline there, and an error amid a write is nobody's to
      // catch.
      supports: { value: async () => false },
    });
  }

  /** @throws LedgerRefused: older than what we need · Silence · what the client throws */
  async assertRecent({ scheduler, callMsMax }: Link): Promise<void> {
    let heard = (): void => undefined;
    const silence = new Promise<never>((_resolve, reject) => {
      heard = scheduler.after(callMsMax, () => reject(new Silence()));
    });
    try {
      const { serverVersion } = await Promise.race([this.#inside.capabilities, silence]);
      if (!isRecent(serverVersion))
        throw new LedgerRefused(
          serverVersion === UNKNOWN
            ? 'EventStoreDB is too old to tell its version: 22.10 or newer is needed.'
            : `EventStoreDB is ${serverVersion}: 22.10 or newer is needed.`,
        );
    } finally {
      heard();
    }
  }

  async close(): Promise<void> {
    this.#closed = true;
    await this.client.dispose();
    this.#channel?.close();
  }

  get #inside(): Inside {
    return this.client as unknown as Inside;
  }
}

/** What has no number was built by hand, and is taken at its word. */
function isRecent(version: string): boolean {
  const [, major, minor] = /^(\d+)\.(\d+)/.exec(version) ?? [];
  if (major === undefined) return version !== UNKNOWN;
  const [least, leastMinor] = VERSION_MIN;
  return Number(major) > least || (Number(major) === least && Number(minor) >= leastMinor);
}
