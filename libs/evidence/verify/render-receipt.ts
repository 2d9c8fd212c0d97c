import type { Receipt, ReceiptHolder } from './receipt.js';

const TITLES: { readonly [kind in Receipt['kind']]: string } = {
  'provider-denied': "The customer's keystore denies us the root key",
  'l1-destroyed': "The customer's root key is deleted or pending deletion",
  locked: 'Access is locked',
  shredded: 'The wrapped keys are shredded',
};

function holderLine({ id, refusedAt, erasedAt, lastGrantEnds, statement }: ReceiptHolder): string {
  if (statement === null) return `  ${id}  silent; its last grant ends ${lastGrantEnds}`;
  const erased = erasedAt === null ? 'dropped, erasure not confirmed' : `erased ${erasedAt}`;
  return `  ${id}  refused ${refusedAt}, ${erased}`;
}

/** Where the events are in the transparency log: its origin, size and root. */
function logLines(receipt: Receipt): string[] {
  if (receipt.format === 1) return ['', 'Log         none: a receipt of format 1 has no proof'];
  const [origin = '', size = '', root = ''] = receipt.checkpoint.split('\n');
  const leaves = receipt.events.map(({ index }) => index).join(', ');
  return [
    '',
    `Log         ${origin}: leaves ${leaves} of ${size}`,
    `            root ${root}; ask others which root they saw`,
  ];
}

/** A verified receipt for people: plain text, one fact a line. */
export function renderReceipt(receipt: Receipt): string {
  const { revocation, probe, shred, holders } = receipt;
  const lines = [
    `Revocation receipt: ${TITLES[receipt.kind]}`,
    '',
    `Tenant      ${receipt.tenant} (region ${receipt.region}, ledger ${receipt.ledger})`,
    `Revocation  ${revocation.id}, ${revocation.kind} of ${revocation.scope}: ${revocation.cause}`,
    `Locked      ${revocation.startedAt} by ${revocation.lockedBy}, epoch ${revocation.epoch}`,
    `Bound       nothing of ours could decrypt after ${revocation.hardBound}`,
    `Issued      ${receipt.issuedAt}`,
    '',
    'Rests on',
    ...receipt.events.map((e) => `  ${e.type}  ${e.stream} #${e.revision}  ${e.at}  ${e.id}`),
    ...logLines(receipt),
    '',
    'Holders',
    ...(holders.length === 0 ? ['  none held a lease'] : holders.map(holderLine)),
  ];
  if (probe) {
    const theirs = probe.providerRequestId ?? 'none given';
    lines.push(
      '',
      `Probe       ${probe.keystore} refused ${probe.rootKeyId}: ${probe.code}`,
      `            our call id ${probe.callId} (${probe.logField}); request id ${theirs}`,
    );
  }
  if (shred) {
    lines.push(
      '',
      `Shred       requested by ${shred.requestedBy}, confirmed ${shred.confirmedAt}`,
      `            ${shred.erasureKeys} erasure keys and ${shred.blobs} blobs: ${shred.word}`,
    );
  }
  lines.push('', `Exported    ${receipt.exported.keys} plaintext keys`);
  if (receipt.fourEyes) lines.push(`Four eyes   ${receipt.fourEyes}`);
  for (const trial of receipt.trialGrade) lines.push(`Trial       ${trial}`);
  lines.push('', 'Does not claim', ...receipt.doesNotClaim.map((claim) => `  - ${claim}`));
  return `${lines.join('\n')}\n`;
}
