import { resolve } from 'node:path';
import { Refusals, Reservations, StreamStates, Subjects } from '@kcm/application';
import { eventCatalog } from '@kcm/domain';
import { systemScheduler, uuidv4 } from '@kcm/kernel';
import type { RecordedEvent } from '@kcm/kernel';
import { LocalAuthenticator, RegionAuthenticator } from '../auth/authenticator.js';
import { givenOperatorToken, operatorToken } from '../auth/operator-token.js';
import type { Authenticator, SealStatus } from '../auth/principal.js';
import { CORE_VIEW, type Fold, Lags, type WatchedDoor } from '../health/index.js';
import { OidcAuthenticator } from '../oidc/index.js';
import type { Ground } from './ground.js';

/** What a process needs to answer people over HTTP. */
export interface Door {
  readonly region: string;
  /** Id of this start of the process. */
  readonly boot: string;
  readonly dataDir: string;
  readonly states: StreamStates;
  readonly refusals: Refusals;
  readonly subjects: Subjects;
  readonly reservations: Reservations;
  /** null: people come with a token of the local issuer. */
  readonly oidc: OidcAuthenticator | null;
  readonly authenticator: Authenticator;
}
export interface DoorOptions {
  /** As `StreamStatesDeps.observe`. */
  readonly observe?: (event: RecordedEvent) => void;
  /** The states answer nothing any more. Must not throw. */
  readonly onBroken?: () => void;
}
type DoorGround = Ground<'ledger' | 'readModels' | 'directory'>;

export function composeDoor(ground: DoorGround, options: DoorOptions = {}): Door {
  const { config, engines, clock, random, logger } = ground;
  const { ledger, directory } = engines;
  const region = config.KCM_REGION;
  const boot = uuidv4(random);
  const dataDir = resolve(config.KCM_DATA_DIR);
  const states = new StreamStates({
    ...feedsOf(ground),
    region,
    report: (error, state) => {
      foldReport(ground)(CORE_VIEW, error, state);
      if (state === 'failed') options.onBroken?.();
    },
    ...(options.observe === undefined ? {} : { observe: options.observe }),
  });
  const lost = (error: unknown, correlationId: string) =>
    logger.error({ err: error, correlationId }, 'a record was lost');
  const refusals = new Refusals(ledger, clock, random, systemScheduler, region, boot, lost);
  const subjects = new Subjects(directory, random);
  const reservations = new Reservations(directory, clock);
  const issuers = config.KCM_OIDC_ISSUERS;
  const oidc =
    issuers.length === 0
      ? null
      : new OidcAuthenticator(issuers, { subjects, clock, scheduler: systemScheduler, logger });
  const given = config.KCM_OPERATOR_TOKEN;
  const isOperator =
    given === undefined ? operatorToken(dataDir, random) : givenOperatorToken(given);
  const people = oidc ?? new LocalAuthenticator(region, states, subjects, clock);
  const authenticator = new RegionAuthenticator(isOperator, people);
  const journals = { refusals, subjects, reservations };
  return { region, boot, dataDir, states, ...journals, oidc, authenticator };
}

/** What every fold of the ledger is fed by. */
export const feedsOf = ({
  engines: { ledger },
  random,
}: Pick<Ground<'ledger'>, 'engines' | 'random'>) => ({
  ledger,
  catalog: eventCatalog,
  scheduler: systemScheduler,
  random,
});

/** A fold that stands still is told. */
export const foldReport =
  ({ logger }: Pick<Ground, 'logger'>) =>
  (name: string, error: unknown, state: string): void =>
    logger.error({ err: error, name, state }, 'a fold of the ledger stands still');

/** Where the keys are not, the region is what its last event says. */
export const recordedSeal = ({ states }: Pick<Door, 'states'>): SealStatus => ({
  sealed: () => states.region().status !== 'unsealed',
});

export function watchedDoor(
  { engines: { ledger }, clock }: Pick<DoorGround, 'engines' | 'clock'>,
  { states, oidc }: Door,
  folds: () => readonly Fold[],
): WatchedDoor {
  const all = () => [{ name: CORE_VIEW, ...states.health() }, ...folds()];
  return { ledger, clock, lags: new Lags(ledger, clock), folds: all, oidc };
}
