import { statSync } from 'node:fs';
import { userInfo } from 'node:os';
import { KcmError } from '@kcm/kernel';

const WRITABLE_BY_OTHERS = 0o022;

/**
 * The data folder is this user's own and nobody else writes in it: who can, puts other files in the
 * place of the operator token, the sockets and the stores. Reading is each file's own mode.
 * @throws KcmError invalid_request, saying what to type · the file system's errors
 */
export function assertPrivateFolder(path: string, setting = 'KCM_DATA_DIR'): void {
  const { mode, uid } = statSync(path);
  const me = userInfo();
  // −1 where users have no numbers.
  if (me.uid !== -1 && uid !== me.uid)
    throw refused(
      setting,
      path,
      `belongs to another user (uid ${uid})`,
      `chown ${me.uid} ${path}, or give a folder of its own`,
    );
  if ((mode & WRITABLE_BY_OTHERS) !== 0)
    throw refused(
      setting,
      path,
      `may be written by others (mode ${(mode & 0o777).toString(8)})`,
      `chmod go-w ${path}`,
    );
}

function refused(setting: string, path: string, fault: string, remedy: string): KcmError {
  const detail = `The folder ${path} ${fault}: ${remedy}.`;
  return new KcmError('invalid_request', `${setting}: ${detail}`, {
    errors: [{ path: setting, code: 'not_private', detail }],
  });
}
