import { AsyncLocalStorage } from 'node:async_hooks';

const current = new AsyncLocalStorage<string>();

/** What `act` does, also later, is done for the request or step with this correlation id. */
export const correlated = <T>(correlationId: string, act: () => T): T =>
  current.run(correlationId, act);

export const currentCorrelation = (): string | undefined => current.getStore();
