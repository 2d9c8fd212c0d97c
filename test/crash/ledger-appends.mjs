/** What the writers write, by (run, writer, append): shared by the writers and by who checks them. */
export const WRITERS = 50;

export const streamOf = (run, writer) => `key-acme.${run}-${writer}`;

/** One to three events that say which append they belong to and how many it has. */
export function appendOf(run, writer, append) {
  const of = 1 + ((writer + append) % 3);
  return Array.from({ length: of }, (_, index) => ({
    id: `e-${run}-${writer}-${append}-${index}`,
    type: 'SomethingHappened',
    schemaVersion: 1,
    data: { append, index, of, filling: 'x'.repeat((writer * 37 + append * 11) % 900) },
    meta: {
      commandId: `c-${run}-${writer}-${append}`,
      fingerprint: 'f'.repeat(64),
      tenant: 'acme',
      actor: 'sub-a',
      origin: 'local',
      term: 1,
      epoch: 0,
      occurredAt: '2026-01-02T03:04:05.678Z',
      correlationId: 'c',
      causationId: 'c',
    },
  }));
}
