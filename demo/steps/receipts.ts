import { setTimeout as sleep } from 'node:timers/promises';
import type { Receipt } from '@kcm/evidence/verify';
import type { Api } from '../api.js';

const RECEIPT_MS_MAX = 25_000;

/** The receipt of one ending of a revocation. @throws Error when it does not come in time */
export async function receiptOf(
  auditor: Api,
  tenant: string,
  revocation: string,
  kind: Receipt['kind'],
): Promise<{ readonly jws: string; readonly receipt: Receipt }> {
  let last = '';
  for (const end = performance.now() + RECEIPT_MS_MAX; performance.now() < end;) {
    const path = `/v1/tenants/${tenant}/revocations/${revocation}/receipt`;
    const { body, refused } = await auditor.get<string>(path);
    if (refused === null) {
      const jws = body.trim();
      const receipt = payloadOf(jws);
      if (receipt.kind === kind) return { jws, receipt };
      last = `a receipt of kind ${receipt.kind}`;
    } else last = `${refused.code}: ${refused.detail}`;
    await sleep(100);
  }
  throw new Error(`no receipt ${kind} for ${tenant}; last ${last}`);
}

/** Read only, not verified. */
const payloadOf = (jws: string): Receipt =>
  JSON.parse(Buffer.from(jws.split('.')[1] ?? '', 'base64url').toString('utf8')) as Receipt;
