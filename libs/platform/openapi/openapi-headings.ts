interface Heading {
  readonly name: string;
  readonly description: string;
  /** What its paths begin with, after `v1/` or `v1/tenants/:tenant/`. */
  readonly paths: readonly string[];
}

/** In the order in which somebody new does these things. */
const HEADINGS: readonly Heading[] = [
  {
    name: 'Region',
    description: 'The seal, and tokens and certificates of the local authority.',
    paths: ['sys'],
  },
  {
    name: 'Tenants',
    description: 'A customer: registered, activated, blocked; its policy.',
    paths: ['tenants', 'activate', 'block', 'unblock', 'policy'],
  },
  {
    name: 'Root keys',
    description: 'The key that the customer holds in a keystore of its own (L1).',
    paths: ['root-keys', 'keystores'],
  },
  {
    name: 'Services',
    description: 'What of the platform encrypts for a tenant; each has a key of its own.',
    paths: ['services'],
  },
  {
    name: 'Keys',
    description: 'Keys of the tenant (L2) and of its services (L3), and who holds a lease on them.',
    paths: ['keys', 'leases'],
  },
  {
    name: 'Revocations and receipts',
    description: 'Suspend, kill, release, shred; what locks a tenant; what proves it afterwards.',
    paths: ['revocations', 'locks', 'trust'],
  },
  {
    name: 'Audit and events',
    description: 'Who did what, what the keystores said, and each event as it happens.',
    paths: ['audit', 'events'],
  },
  {
    name: 'Transparency log',
    description: 'Signed checkpoints of all that the region decided, and proofs by them.',
    paths: ['log'],
  },
  {
    name: 'Operations',
    description: 'Where work stands that was answered with 202.',
    paths: ['operations'],
  },
  {
    name: 'Edges',
    description: 'The data plane: who serves encrypt and decrypt, for which services.',
    paths: ['edges'],
  },
  {
    name: 'Read models',
    description: 'What every query reads; each can be rebuilt from the ledger and compared.',
    paths: ['sys/projections'],
  },
  {
    name: 'Health and this page',
    description: 'What anybody may ask, sealed or not.',
    paths: ['livez', 'readyz', 'metrics', 'openapi.json'],
  },
];

/** OpenAPI's `tags`, in their order. */
export const headings = HEADINGS.map(({ name, description }) => ({ name, description }));

/** @throws Error for a path that stands under none: the table has to name it */
export function headingOf(path: string): string {
  const rest = path.replace(/^v1\/(tenants\/:\w+\/)?/, '');
  const fits = (start: string) => rest === start || rest.startsWith(`${start}/`);
  const [longest] = HEADINGS.flatMap(({ name, paths }) =>
    paths.filter(fits).map((start) => ({ name, length: start.length })),
  ).toSorted((a, b) => b.length - a.length);
  if (longest === undefined) throw new Error(`no heading of the reference has /${path}`);
  return longest.name;
}

/** For sorting paths as their headings go. */
export const orderOf = (path: string): number =>
  headings.findIndex(({ name }) => name === headingOf(path));
