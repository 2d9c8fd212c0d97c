/** Every limit in one place, unit last. */
export const LIMITS = {
  eventBytesMax: 256 * 1024,
  eventsPerAppendMax: 64,
  /** Versions of one key. */
  exposedInOneEventMax: 256,
  conflictRetriesMax: 3,
  httpBodyBytesMax: 1024 * 1024,
  httpBodyDepthMax: 32,
  /** Header fields of 16 KiB arrive in a second on any line that works; a body of 1 MiB in 20. */
  httpHeadersMsMax: 10_000,
  httpRequestMsMax: 20_000,
  /** No byte either way; an event stream beats more often. */
  httpSilenceMsMax: 75_000,
  /**
   * Open files of a process: so many are kept for stores, calls and logs, and with fewer than so
   * many a door cannot have all its connections while each other one has its share.
   */
  openFilesReserved: 1_000,
  openFilesGood: 19_000,
  /** One network (an IPv4 address, an IPv6 /64) leaves room for two others. */
  httpConnectionsMax: 12_000,
  httpConnectionsPerPeerMax: 4_000,
  /** What a bucket holds, in seconds of its rate; buckets remembered (a principal or an address). */
  rateBurstSeconds: 5,
  rateBucketsMax: 10_000,
  /** People of one tenant that nobody has seen yet: the name of each is kept. */
  newcomersPerSecondMax: 10,
  edgeBodyBytesMax: 1024 * 1024,
  /** A body of ciphertext may be so much larger: what one request encrypted, one must decrypt. */
  edgeCiphertextBytesExtra: 64 * 1024,
  edgeHeaderBytesMax: 16 * 1024,
  edgeBatchItemsMax: 256,
  edgeContextBytesMax: 8 * 1024,
  /** Requests that are not whole yet, not answered yet, or whose answers are not taken: of all. */
  edgeHeldBytesMax: 128 * 1024 * 1024,
  /** All of one service's workloads, on one machine. */
  edgeConnectionsMax: 12_000,
  edgeIdleMsMax: 75_000,
  edgeRequestMsMax: 10_000,
  edgeAnswerMsMax: 10_000,
  /** How long a caller waits for a lease that is not there yet. */
  edgeLeaseWaitMsMax: 4_000,
  idempotencyKeyCharsMax: 255,
  correlationIdCharsMax: 128,
  spanAttributeCharsMax: 256,
  /** Open event streams of a tenant, of one of its people; what nobody reads is cut. */
  eventStreamsMax: 16,
  eventStreamsPerPrincipalMax: 8,
  eventStreamHeartbeatMs: 15_000,
  eventStreamStallMsMax: 60_000,
  /** From its end to the cut, for a reader that is slow to take the last of it. */
  eventStreamEndMsMax: 2_000,
  listItemsMax: 200,
  listItemsDefault: 50,
  leaseSecondsMin: 10,
  leaseSecondsMax: 300,
  leaseSecondsDefault: 60,
  boundSlackSeconds: 1,
  /** Of a policy: what rotates or retires by itself does so within these. */
  rotationAgeSecondsMin: 60,
  rotationAgeSecondsMax: 10 * 365 * 86_400,
  rewrapsPerSecondMax: 10_000,
  /** In one command. */
  keyVersionsNamedMax: 1_000,
  rotationUsesMin: 1_000,
  rotationUsesMax: 2 ** 48,
  /** So long before its age at the latest, and over so long a time, a version is rotated. */
  rotationLeadSecondsMax: 60,
  rotationSpreadSecondsMin: 3_600,
  rotationSpreadSecondsMax: 7 * 86_400,
  /** A rotation by policy that was refused is asked for again so much later, doubling. */
  rotationRetrySecondsMin: 60,
  rotationRetrySecondsMax: 6 * 3_600,
  /** A retirement that was refused is asked for again so much later, doubling. */
  retirementRetrySecondsMin: 86_400,
  retirementRetrySecondsMax: 32 * 86_400,
  /** Of those that are late all at once: after an upgrade, after a long silence. */
  lateRotationsPerSecondMax: 5,
  /** A root key is asked for its newest version so often, while it answers. */
  rootKeyCheckMs: 60 * 60_000,
  operationWaitMsMax: 10_000,
  /** So long another process of ours may take to answer a request that is forwarded to it. */
  httpForwardMsMax: 30_000,
  /** Of a rebuild of a read model: some 20,000 events a second. */
  rebuildMsMax: 60 * 60_000,
  tokenWaitMsMax: 2_000,
  tokenSecondsDefault: 3_600,
  tokenSecondsMax: 86_400,
  oidcClockSkewSecondsDefault: 30,
  oidcClockSkewSecondsMax: 60,
  /** An issuer's metadata and keys together: how long to wait, how much to read of each. */
  oidcReadMsMax: 5_000,
  oidcAnswerBytesMax: 256 * 1024,
  /** Keys are read again after so long; for an unknown key id or after a failure not sooner than. */
  oidcRefreshMs: 5 * 60_000,
  oidcReadAgainMsMin: 10_000,
  /** Keys that could not be read again are used so long. */
  oidcKeysMsMax: 15 * 60_000,
  certificateDaysDefault: 90,
  certificateDaysMax: 366,
  ttlvDepthMax: 32,
  ttlvMessageBytesMax: 1024 * 1024,
  ttlvItemsMax: 10_000,
  kmipBatchItemsMax: 128,
  kmipConnectionsMax: 10_000,
  kmipIdleMsMax: 300_000,
  kmipHandshakeMsMax: 10_000,
  /** Without a certificate yet: of all, of one network. */
  kmipHandshakesMax: 1_024,
  kmipHandshakesPerPeerMax: 256,
  /** From the first byte of a message to its last. */
  kmipMessageMsMax: 30_000,
  kmipAnswerMsMax: 10_000,
  /** JSON of an Edge's usage report: its event holds it twice, once as base64 in the signature. */
  usageReportBytesMax: 96 * 1024,
  /** What an Edge moved and Core has not recorded yet; more is moved when it has. */
  usageMovedIdsMax: 200_000,
  /** Boot-time clock of leases, and the silence of it that ends them. */
  leaseTickMs: 100,
  leaseTickGapMsMax: 1_000,
  keystoreCallMsMax: 5_000,
  keystoreAnswerBytesMax: 64 * 1024,
  /** Calls to one provider: sustained, at once, and how long a call waits for its turn. */
  keystoreCallsPerSecondMax: 50,
  keystoreCallsAtOnceMax: 100,
  keystoreTurnMsMax: 2_000,
  /** Whoever asks for a lease waits so long for the keystore; so long where it did not answer last. */
  proofWaitMsMax: 1_000,
  doubtfulProofWaitMsMax: 25,
  idleProbeMs: 15 * 60_000,
  deniedProbeMsMin: 5_000,
  deniedProbeMsMax: 60_000,
  retryMsMin: 250,
  retryMsMax: 5_000,
  /** So many tenants of one provider denied within the window, and half of them: our own fault? */
  selfSuspectTenantsMin: 5,
  selfSuspectWindowMs: 10_000,
  /** Readiness: a write to the ledger may take so long, a part may think so long what to say. */
  ledgerStallMsMax: 5_000,
  healthCheckMsMax: 1_000,
  /** Readiness: a fold may be so far behind, a step may be tried for so long, before it is told. */
  foldLagMsMax: 5_000,
  processItemMsMax: 60_000,
  /** How long a jump of a clock, or a silence of the ticker, is told. */
  clockSuspicionMs: 60_000,
  /** A ledger over a network: one call, or the silence of one; how often an append is repeated. */
  ledgerCallMsMax: 5_000,
  ledgerTriesMax: 3,
  journalQueueMax: 10_000,
  /** Refused leases recorded for one Edge: at once, and per second after that. */
  leaseRefusalsAtOnceMax: 20,
  leaseRefusalsPerSecondMax: 1,
  /** How often the copies and the backups of the erasure store are looked after. */
  erasureLookMs: 60_000,
  socketPathBytesMax: 107,
  /** Of a file that a setting or an option names: issuers, certificates, a token, a receipt. */
  textFileBytesMax: 4 * 1024 * 1024,
  /** A message whole; an event in its envelope is smaller. Brokers take 1 MiB a batch by default. */
  messageBytesMax: 512 * 1024,
  messageHeadersMax: 32,
  messageHeadersBytesMax: 16 * 1024,
  messageKeyBytesMax: 1_024,
  /** One write to a broker, and what a handler is given at once. */
  messageBatchBytesMax: 896 * 1024,
  messagesPerBatchMax: 500,
  /** What a broker has nothing for is asked for again after so long; a consumer ends so late. */
  messageFetchMsMax: 250,
  /** A broker may take so long to connect, to answer one request; so often is one tried again. */
  brokerConnectMsMax: 3_000,
  brokerAnswerMsMax: 10_000,
  brokerRetriesMax: 4,
  /** Who stops waits so long for its consumers to leave. */
  brokerLeaveMsMax: 2_000,
  /**
   * A member of a group that is not heard of for so long is replaced (a broker that comes back waits
   * so long for those it knew); one whose handler takes longer than the second loses its partitions.
   */
  groupSessionMsDefault: 10_000,
  groupRebalanceMsMax: 60_000,
  /** Of a partition in process: older ones go. */
  inProcessMessagesMax: 10_000,
  sharesMax: 255,
  /** A keystore that does not open the region is asked again after so long, with jitter. */
  sealRetryMsMin: 500,
  sealRetryMsMax: 15_000,
  /** Processes of a region that may be open besides the last that was unsealed. */
  bootsOpenMax: 16,
  /** A public key of a share's holder, in ASCII armour. */
  recipientCharsMax: 32 * 1024,
  /** So many shares may be refused; then none is taken until nothing got on for so long. */
  sharesRefusedMax: 10,
  sharesIdleMsMax: 15 * 60_000,
  /** 0.9 · 2^32 invocations a subkey (NIST SP 800-38D §8.3 leaves 2^32 for random 96-bit IVs). */
  subkeyInvocationsMax: Math.floor(0.9 * 2 ** 32),
} as const;
