import type { Requester } from '../wire/index.js';
import type { Peer } from './identity.js';

/** A connection on which this server is the requester; whoever is given it closes it. */
export interface PushChannel {
  readonly peer: Peer;
  readonly requester: Requester;
  /** Resolves when the connection is over, for whatever reason. */
  readonly closed: Promise<void>;
  close(): void;
}
