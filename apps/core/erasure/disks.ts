import { statSync } from 'node:fs';
import { join } from 'node:path';
import { addressOf, type Config, erasureBackupsFolder, erasurePlaces } from '@kcm/platform';

/** What one image of one disk holds. */
export interface Disks {
  /** A server has a copy of the erasure store: what its disk keeps of what was erased is not seen. */
  readonly erasureAtServer: boolean;
  /** A disk has erasure keys (a backup of them too) and the wrapped keys, or may have. */
  readonly together: boolean;
  /** All copies of the erasure store are on one. */
  readonly oneErasureDisk: boolean;
}
type Settings = Pick<
  Config,
  'KCM_VAULT' | 'KCM_ERASURE' | 'KCM_ERASURE_BACKUPS' | 'KCM_ERASURE_BACKUP_DAYS'
>;

/**
 * Which of the stores share a disk, as far as file systems tell: two of them on one device are taken
 * for two disks. @param dir the data folder, resolved
 */
export function disksOf(config: Settings, dir: string): Disks {
  const places = erasurePlaces(config, dir);
  const files = places.flatMap((place) => (place.kind === 'file' ? [place.file] : []));
  const kept = config.KCM_ERASURE_BACKUP_DAYS > 0 ? [erasureBackupsFolder(config, dir)] : [];
  const copies = files.map(deviceOf);
  const vault = vaultDevice(config.KCM_VAULT, dir);
  const shared = [...copies, ...kept.map(deviceOf)].some(
    (device) => device === null || device === vault,
  );
  return {
    erasureAtServer: files.length < places.length,
    together: vault === null || (vault !== ELSEWHERE && shared),
    oneErasureDisk: new Set(copies).size === 1 && files.length === places.length,
  };
}

const ELSEWHERE = 'elsewhere';

/** null: not known. */
function vaultDevice(url: string, dir: string): string | null {
  if (url === 'sqlite:') return deviceOf(join(dir, 'vault.db'));
  return isNear(addressOf(url)) ? null : ELSEWHERE;
}

/** A server of this machine may keep its files on any of its disks. */
const isNear = (address: string): boolean =>
  address.split(',').some((host) => /^(localhost|127\.|\[?::1)/.test(host));

function deviceOf(path: string): string | null {
  const found = statSync(path, { throwIfNoEntry: false });
  return found === undefined ? null : String(found.dev);
}
