import type { SealKeystore } from '@kcm/custody';
import { type FieldError, KcmError } from '@kcm/kernel';
import { ANYWHERE_CIDRS, driversWithin } from '@kcm/keystores';
import { type Config, readSealCredentials } from '@kcm/platform';

const KEYSTORE = 'keystore:';

/** The operator's keystore that opens the region, wherever it is; undefined: none does. */
export function sealKeystoreOf(config: Config): SealKeystore | undefined {
  const { KCM_SEAL: seal, KCM_SEAL_REFERENCE: reference = {} } = config;
  if (!seal.startsWith(KEYSTORE)) return undefined;
  const driver = seal.slice(KEYSTORE.length);
  const drivers = driversWithin(ANYWHERE_CIDRS);
  const open: SealKeystore['open'] = async (pinned) => {
    const known = await drivers.get(driver);
    return known.open(reference, readSealCredentials(config) ?? {}, pinned);
  };
  return { driver, open };
}

/**
 * Once, before anything is served.
 * @throws KcmError invalid_request naming every wrong setting
 */
export async function assertSealKeystore(config: Config): Promise<void> {
  const keystore = sealKeystoreOf(config);
  if (keystore === undefined) return;
  const drivers = driversWithin(ANYWHERE_CIDRS);
  const errors: FieldError[] = [];
  if (drivers.has(keystore.driver)) {
    const driver = await drivers.get(keystore.driver);
    const { KCM_SEAL_REFERENCE: reference = {} } = config;
    errors.push(...driver.check(reference, readSealCredentials(config)).map(inSettings));
  } else {
    const detail = `there is no keystore ${keystore.driver}: one of ${drivers.names().join(', ')}`;
    errors.push({ path: 'KCM_SEAL', code: 'unknown', detail });
  }
  if (errors.length === 0) return;
  const list = errors.map(({ path, detail }) => `  ${path}: ${detail}`).join('\n');
  throw new KcmError('invalid_request', `These settings are wrong:\n${list}`, { errors });
}

function inSettings({ path, ...error }: FieldError): FieldError {
  const [part = '', ...field] = path.split('.');
  return { ...error, path: [`KCM_SEAL_${part.toUpperCase()}`, ...field].join('.') };
}
