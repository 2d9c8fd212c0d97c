/**
 * How much the long tests do: at the gate (`npm test`), and in the long run (`npm run deep`, which
 * sets KCM_TEST_FIGURES=deep). The tests are the same.
 */
const deep = process.env['KCM_TEST_FIGURES'] === 'deep';
const figure = (gate: number, long: number): number => (deep ? long : gate);

export const FIGURES = {
  /** Kills of a process that only writes the ledger. */
  ledgerKills: figure(25, 200),
  /** Kills of the whole product under fifty writers. */
  commandKills: figure(25, 200),
  /** Kills of the whole product while a tenant comes and goes. */
  lifeKills: figure(15, 120),
  /** Kills of a first start. */
  firstStartKills: figure(4, 60),
  /** Places at which the write-ahead log is cut, and bytes of the ledger that are flipped. */
  logCuts: figure(8, 200),
  flippedBytes: figure(24, 400),
  /** Places at which the end of the log and the database are cut; in the long run every one. */
  tailCuts: figure(20, 1_000_000),
  databaseCuts: figure(10, 400),
  /** Bits flipped in the files of the ledger. */
  flipsAtStart: figure(150, 10_000),
  flipsInLog: figure(120, 5_000),
  flipsWhileOpen: figure(60, 5_000),
  /** … in the file of the vault, closed and open. */
  vaultFlips: figure(48, 5_000),
  vaultFlipsWhileOpen: figure(6, 500),
  /** How often the disk of the whole product fills up. */
  fullDisks: figure(5, 50),
  /** Of the writes that are refused one by one each so many-th is; lasting refusals of a kind. */
  faultStep: figure(3, 1),
  persistentFaults: figure(1, 20),
  /** Mutated TTLV items, KMIP messages, and bytes sent to an Edge's socket. */
  ttlvMutations: figure(10_000, 1_000_000),
  kmipMutations: figure(2_000, 200_000),
  /** … and to Core's message path in the test's own process. */
  kmipMessages: figure(100_000, 10_000_000),
  edgeMutations: figure(10_000, 200_000),
  /** Events that wait to be sent when a lock is recorded. */
  relayBacklog: figure(20_000, 200_000),
  /** Random requests to the HTTP door. */
  httpRequests: figure(1_500, 50_000),
  /** Requests that schemathesis makes of the OpenAPI document. */
  openapiRequests: figure(10_000, 100_000),
  /** Records, and blobs behind the barrier, whose nonces must all differ over 50 restarts. */
  records: figure(1_000_000, 10_000_000),
  barrierBlobs: figure(100_000, 1_000_000),
  /** How long Core and an Edge are stopped, and how often an Edge is stopped for a moment. */
  stoppedSeconds: figure(15, 300),
  shortStops: figure(1, 40),
  /** So many regions, of 87 events each, go through Kafka three times. */
  messageRegions: figure(12, 115),
  /** Simulated worlds in which a tenant is killed in the middle of something. */
  killedWorlds: figure(1_000, 50_000),
  /** How often a wall clock jumps. */
  clockJumps: figure(1, 10),
} as const;
