import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

export interface Issued {
  readonly certificate: string;
  readonly ca: string;
  readonly notAfter: string;
}

/** Writes client.pem, client-key.pem (0600), ca.pem. */
export function writeIdentity(dir: string, issued: Issued, privateKey: string): object {
  mkdirSync(dir, { recursive: true, mode: 0o700 });
  const files = { certificate: 'client.pem', key: 'client-key.pem', ca: 'ca.pem' };
  writeFileSync(join(dir, files.certificate), issued.certificate);
  writeFileSync(join(dir, files.key), privateKey, { mode: 0o600 });
  writeFileSync(join(dir, files.ca), issued.ca);
  return { out: dir, ...files, notAfter: issued.notAfter };
}
