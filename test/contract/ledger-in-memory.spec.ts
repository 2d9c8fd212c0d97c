import { InMemoryLedger, InMemoryLog, ledgerContract } from '@kcm/testing';

// What specs stand on must keep the port's promises too, or they prove nothing.
ledgerContract('in memory', async () => {
  const log = new InMemoryLog();
  return { open: async () => new InMemoryLedger(log), dispose: async () => {} };
});
