import { sha256Hex } from '@kcm/crypto';
import type { OpenCustody } from '@kcm/custody';
import type { Recorded, RevocationEvent } from '@kcm/domain';
import { buildReceipt, restsOn } from '@kcm/evidence';
import { type Json, type RecordedEvent, rfc3339, streamOf, uuidv5 } from '@kcm/kernel';
import type { KeystoreDriver } from '@kcm/keystores';
import type { LogStore } from '@kcm/origin-log';
import type { Config } from '@kcm/platform';
import type { Effect } from '@kcm/processes';
import type { BlobStore } from '@kcm/vault';
import type { EffectDeps, EffectTrace } from '../effects/context.js';
import { derived } from '../effects/derived-context.js';
import { rootKeyOf, storedOf } from '../effects/states.js';
import { leavesOf } from './leaves.js';

export interface ReceiptDeps {
  readonly effects: EffectDeps;
  /** @throws KcmError sealed */
  readonly custody: () => OpenCustody;
  readonly driver: (name: string) => Promise<KeystoreDriver>;
  readonly directory: BlobStore;
  readonly log: LogStore;
  readonly seal: Config['KCM_SEAL'];
  readonly people: 'local' | 'oidc';
  /** What is true of where the stores are. */
  readonly stores: () => readonly string[];
}
type IssueReceipt = Extract<Effect, { kind: 'issueReceipt' }>;

const FOUR_EYES = {
  local: 'local issuer, one operator could mint both',
  oidc: 'OIDC issuers: who runs one, or names them here, could speak as both',
};
const AUTO_SEAL = 'the unseal key lies beside the data (KCM_SEAL=auto)';

/**
 * Signs what the revocation's stream and the transparency log show, keeps the JWS in the vault and records its digest. The
 * receipt is kept before it is recorded, under an id that a repetition finds again.
 * @throws KcmError read_model_behind while the log has not got to the events
 */
export async function issueReceipt(
  deps: ReceiptDeps,
  { tenant, revocation, receipt: kind }: IssueReceipt,
  trace: EffectTrace,
): Promise<void> {
  const { effects } = deps;
  const stream = streamOf('revocation', tenant, revocation);
  const stored: RecordedEvent[] = [];
  for await (const event of storedOf(effects.ledger, stream)) stored.push(event);
  const events = stored.map(
    (event) => effects.catalog.upcast(event) as unknown as Recorded<RevocationEvent>,
  );
  if (events.some((event) => event.type === 'ReceiptIssued' && event.data.kind === kind)) return;
  const rests = new Set(restsOn(events, kind).map(({ id }) => id));
  const about = { ledger: effects.ledger.id, clock: effects.clock, log: deps.log };
  const { leaves, head } = await leavesOf(
    about,
    stored.filter(({ id }) => rests.has(id)),
  );
  const payload = buildReceipt(events, kind, {
    region: effects.region,
    tenant,
    revocation,
    ledger: effects.ledger.id,
    issuedAt: rfc3339(effects.clock.wallMs()),
    certificates: await certificatesOf(deps, events),
    keystore: await keystoreOf(deps, tenant, events),
    exportedKeys: effects.keys.exports.of(tenant),
    fourEyes: FOUR_EYES[deps.people],
    trialGrade: [
      ...(deps.seal === 'auto' ? [AUTO_SEAL] : []),
      ...deps.stores(),
      ...(await trials(deps, tenant, events)),
    ],
    leaves,
    checkpoint: deps.custody().signCheckpoint(head),
  });
  const jws = Buffer.from(deps.custody().signReceipt(payload as unknown as Json), 'ascii');
  const digest = sha256Hex(jws);
  const id = uuidv5(`receipt/${tenant}/${revocation}/${kind}/${digest}`);
  await effects.vault.put(`receipts/${tenant}/${revocation}/${id}`, jws);
  await effects.dispatch(
    {
      kind: 'revocation',
      stream,
      command: { kind: 'RecordReceipt', receipt: id, receiptKind: kind, digest },
    },
    derived(trace, tenant, 'receipt', digest),
  );
}

/** By statement: the certificate that its holder had when it spoke. */
async function certificatesOf(
  { effects, directory }: ReceiptDeps,
  events: readonly Recorded<RevocationEvent>[],
): Promise<ReadonlyMap<string, string>> {
  const found = new Map<string, string>();
  for (const event of events) {
    if (event.type !== 'RevocationAcknowledged') continue;
    const { holder, statement, certificateSha256 } = event.data;
    const edge = effects.view.edge(holder.replace(/^edge:/, ''));
    const enrolled = edge.status === 'enrolled' ? edge.certificateSha256 : null;
    const sha256 = certificateSha256 ?? enrolled;
    const pem = sha256 === null ? null : await directory.get(`certificate/${sha256}`);
    if (pem !== null) found.set(statement, leafOf(pem.toString('utf8')));
  }
  return found;
}

const END = '-----END CERTIFICATE-----';
const leafOf = (pem: string) => `${pem.slice(0, pem.indexOf(END))}${END}\n`;

async function probed(
  { effects }: ReceiptDeps,
  tenant: string,
  events: readonly Recorded<RevocationEvent>[],
) {
  const locked = events.find((event) => event.type === 'RevocationLocked');
  const rootKeyId = locked?.data.probe?.rootKeyId;
  return rootKeyId === undefined ? null : rootKeyOf(effects, tenant, rootKeyId);
}

async function keystoreOf(
  deps: ReceiptDeps,
  tenant: string,
  events: readonly Recorded<RevocationEvent>[],
) {
  const entry = await probed(deps, tenant, events);
  if (entry === null) return null;
  const driver = await deps.driver(entry.keystore);
  const { logField } = driver.trustPolicy(entry.reference, tenant, deps.effects.region);
  return { name: entry.keystore, logField };
}

async function trials(
  deps: ReceiptDeps,
  tenant: string,
  events: readonly Recorded<RevocationEvent>[],
): Promise<readonly string[]> {
  const entry = await probed(deps, tenant, events);
  if (entry === null) return [];
  const driver = await deps.driver(entry.keystore);
  return driver.trialOnly ? [`the keystore ${entry.keystore} is for trials only`] : [];
}
