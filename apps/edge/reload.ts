import type { RunningEdge } from '@kcm/edge';
import { KcmError, systemClock } from '@kcm/kernel';
import { type EdgeConfig, readConfig } from './config.js';
import type { Log } from './log.js';
import { assertIssued, edgeIdentity, endOf } from './tls.js';

type InUse = Pick<EdgeConfig, 'certificate' | 'privateKey' | 'ca'>;

/**
 * Reads certificate, key and authority again from where the environment names them. What cannot be
 * used is told and changes nothing: the certificate in use stays, and so do the leases.
 */
export class CertificateFiles {
  #inUse: InUse;

  constructor(
    private readonly env: Readonly<Record<string, string | undefined>>,
    private readonly edge: Pick<RunningEdge, 'renew'>,
    started: InUse,
    private readonly log: Log,
  ) {
    this.#inUse = started;
  }

  /** Never throws. */
  reload(): void {
    const until = endOf(this.#inUse.certificate);
    try {
      const next = this.#read();
      const { certificate, privateKey, ca } = this.#inUse;
      if (next.certificate === certificate && next.privateKey === privateKey && next.ca === ca)
        return this.log('info', 'certificate-unchanged', { until });
      this.edge.renew(next);
      this.#inUse = next;
      this.log('info', 'certificate-reloaded', { until: endOf(next.certificate) });
    } catch (error) {
      const detail = error instanceof Error ? error.message : String(error);
      this.log('error', 'certificate-not-reloaded: the one in use stays', { until, detail });
    }
  }

  /** @throws KcmError invalid_request */
  #read(): InUse {
    const { certificate, privateKey, ca } = readConfig(this.env);
    const is = edgeIdentity(certificate, privateKey, systemClock.wallMs());
    assertIssued(certificate, ca);
    const was = edgeIdentity(this.#inUse.certificate, this.#inUse.privateKey, 0);
    if (is.edge !== was.edge || is.region !== was.region)
      throw new KcmError(
        'invalid_request',
        `KCM_TLS_CERT: is of Edge ${is.edge} in region ${is.region}; this is ${was.edge} in ${was.region}.`,
      );
    return { certificate, privateKey, ca };
  }
}
