/** No trustworthy answer: not connected, cut, timed out or not KMIP. Proves nothing about a key. */
export class KmipUnavailable extends Error {
  constructor(message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = 'KmipUnavailable';
  }
}
