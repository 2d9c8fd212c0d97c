// What the benches of engines store: an event of a key, in a stream of its own.
import { randomUUID } from 'node:crypto';

export const meta = {
  commandId: '0b8c8f3e-8d3a-5f0e-9a0b-1c2d3e4f5a6b',
  fingerprint: 'f'.repeat(64),
  tenant: 'acme',
  actor: 'sub-abcdefghijklmnopqrstuvwxyz',
  origin: 'local',
  term: 1,
  epoch: 3,
  occurredAt: '2026-01-02T03:04:05.678Z',
  correlationId: 'b9a7f9f6-6a53-4f0e-8f59-0d8f5d1d2c3b',
  causationId: 'b9a7f9f6-6a53-4f0e-8f59-0d8f5d1d2c3b',
};
export const newStream = () => `key-acme.l3-${randomUUID().slice(-12)}`;
export const newEvent = () => ({
  id: randomUUID(),
  type: 'KeyVersionActivated',
  schemaVersion: 1,
  data: {
    keyId: 'l3-0123456789ab',
    version: 4,
    service: 'payments',
    digest: 'sha256-'.padEnd(71, '0'),
    commitment: '0123456789abcdef0123456789abcdef',
  },
  meta,
});
