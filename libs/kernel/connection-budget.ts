import type { Server } from 'node:net';
import type { Reason } from './health.js';
import { LIMITS } from './limits.js';

interface Door {
  readonly max: number;
  open: number;
}
/** Of what is there for connections; the rest is taken by whoever comes first. */
const GUARANTEED = 1 / 3;

/**
 * The connections that one process takes, over all its doors: what it may have open, less what its
 * files and its own calls need. A flood at one door leaves each other one its share.
 */
export class ConnectionBudget {
  readonly #doors = new Set<Door>();
  readonly #room: number;
  #open = 0;

  constructor(readonly openFiles: number) {
    this.#room = openFiles - Math.min(LIMITS.openFilesReserved, Math.floor(openFiles / 2));
  }

  /** From now on it closes a connection that there is no room for, as it comes. */
  guard(server: Server, max: number): void {
    const door = { max, open: 0 };
    server.maxConnections = max;
    server.on('listening', () => this.#doors.add(door));
    server.on('close', () => this.#doors.delete(door));
    server.on('connection', (socket) => {
      const room = this.#leavesRoom(door);
      door.open += 1;
      this.#open += 1;
      socket.once('close', () => {
        door.open -= 1;
        this.#open -= 1;
      });
      if (!room) socket.destroy();
    });
  }

  /** For readiness: with too few of them a door is full long before its own limit. */
  reasons(): readonly Reason[] {
    if (this.openFiles >= LIMITS.openFilesGood) return [];
    return [
      {
        dependency: 'open-files',
        level: 'degraded',
        code: 'open_files_low',
        detail: `the process may have ${this.openFiles} files open: connections beyond that are closed`,
        next: `let it have ${LIMITS.openFilesGood} or more (ulimit -n, LimitNOFILE), and start it again`,
      },
    ];
  }

  /** Each other door has its share, taken or not. */
  #leavesRoom(door: Door): boolean {
    const share = Math.floor((this.#room * GUARANTEED) / this.#doors.size);
    let free = this.#room - this.#open;
    for (const other of this.#doors)
      if (other !== door) free -= Math.max(0, Math.min(share, other.max) - other.open);
    return free > 0;
  }
}

let ours: ConnectionBudget | null = null;
/** Of this process: its table of open files is one. */
export const connectionBudget = (): ConnectionBudget =>
  (ours ??= new ConnectionBudget(openFilesMax()));

/**
 * What the system lets this process have open; `Infinity` where it does not say. Slow once there are
 * connections: it looks up their names.
 */
export function openFilesMax(): number {
  const { userLimits } = process.report.getReport() as {
    userLimits?: { open_files?: { soft?: number | 'unlimited' } };
  };
  const soft = userLimits?.open_files?.soft;
  return typeof soft === 'number' ? soft : Infinity;
}
