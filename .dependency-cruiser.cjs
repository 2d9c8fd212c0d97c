// The architecture as a test: each rule says why. Specs are cruised too.
const spec = '\\.spec\\.ts$';
const only = (room, allowed, comment, more = {}) => ({
  name: `${room.replaceAll('/', '-')}-imports`,
  severity: 'error',
  comment,
  from: { path: `^libs/${room}/`, pathNot: spec },
  to: {
    path: '^(libs|apps|projections|demo)/',
    pathNot: `^libs/(${[room, ...allowed].join('|')})/`,
  },
  ...more,
});
const engines = '(ledger|read-models|vault|origin-log)/sqlite';
const servers = '(read-models|vault)/mongodb';
const remote = `(${servers}|ledger/eventstoredb)`;
const drivers = 'keystores/(software|vault)';

module.exports = {
  forbidden: [
    {
      name: 'no-circular',
      severity: 'error',
      comment: 'a cycle has no first reader',
      from: {},
      to: { circular: true },
    },
    only('kernel', [], 'everything stands on it, so it stands on nothing'),
    only('domain', ['kernel'], 'the rules must be readable and testable without a server'),
    only('crypto', ['kernel'], 'primitives know no product'),
    only('transparency', ['kernel'], 'a verifier of the log is read whole, and needs no server'),
    only('kmip', ['kernel'], 'a protocol library: no business rule in it'),
    only('processes', ['kernel', 'domain'], 'process managers are pure folds'),
    only('ledger', ['kernel', 'sqlite'], 'ports import kernel only and never each other'),
    only(
      'read-models',
      ['kernel', 'sqlite', 'mongodb'],
      'ports import kernel only and never each other',
    ),
    only('vault', ['kernel', 'sqlite', 'mongodb'], 'ports import kernel only and never each other'),
    only('origin-log', ['kernel', 'sqlite'], 'ports import kernel only and never each other'),
    only('messaging', ['kernel'], 'ports import kernel only and never each other'),
    only('keystores', ['kernel'], 'ports import kernel only and never each other'),
    only('sqlite', ['kernel'], 'shared by the sqlite adapters'),
    only('mongodb', ['kernel'], 'shared by the mongodb adapters'),
    only(
      'custody',
      ['kernel', 'domain', 'crypto', 'transparency', 'ledger', 'vault', 'keystores'],
      'holds the keys: sees the rules and the ports, no transport',
    ),
    only('edge', ['kernel', 'crypto', 'kmip'], 'the data plane runs alone on a workload machine'),
    only('tracing', ['kernel'], 'an exporter knows no product; the port that it serves is there'),
    only('evidence', ['kernel', 'crypto', 'domain', 'transparency'], 'a verifier needs no server'),
    only(
      'application',
      [
        ...['kernel', 'domain', 'crypto', 'transparency', 'processes'],
        ...['ledger', 'read-models', 'vault', 'origin-log', 'messaging'],
      ],
      'use cases over ports; never custody, edge or an adapter',
    ),
    only(
      'platform',
      [
        ...['kernel', 'crypto', 'domain', 'tracing', 'application'],
        ...['ledger', 'read-models', 'vault', 'origin-log', 'messaging'],
      ],
      'what every Nest application needs; of domain it knows the states that principals rest on',
    ),
    {
      name: 'sqlite-under-adapters-alone',
      severity: 'error',
      comment: 'a port that knows its engine has only one',
      from: { path: '^(apps|libs|projections)/', pathNot: [spec, `^libs/(sqlite|${engines})/`] },
      to: { path: '^libs/sqlite/' },
    },
    {
      name: 'kafkajs-in-its-adapter',
      severity: 'error',
      comment: 'nobody maintains it any more: another client must be able to take its place',
      from: { path: '^(apps|libs|projections|demo)/', pathNot: '^libs/messaging/kafka/' },
      to: { path: '(node_modules/|^)kafkajs' },
    },
    {
      name: 'messaging-by-import',
      severity: 'error',
      comment: 'a broker is chosen by configuration, and its client loaded where it is',
      from: {
        path: '^(apps|libs|projections|demo)/',
        pathNot: [spec, '^libs/messaging/(in-process|kafka)/'],
      },
      to: { path: '^libs/messaging/(in-process|kafka)/', dynamic: false },
    },
    {
      name: 'mongodb-under-adapters-alone',
      severity: 'error',
      comment: 'the driver costs 70 ms and 30 MB: its adapters alone know it, loaded by import()',
      from: { path: '^(apps|libs|projections)/', pathNot: [spec, `^libs/(mongodb|${servers})/`] },
      to: { path: '(^libs/mongodb/|node_modules/(mongodb|bson)/)' },
    },
    {
      name: 'eventstoredb-in-its-adapter',
      severity: 'error',
      comment: 'its client puts protobuf into globals that its successor shares: one room loads it',
      from: {
        path: '^(apps|libs|projections|demo)/',
        pathNot: [spec, '^libs/ledger/eventstoredb/'],
      },
      to: { path: 'node_modules/@(eventstore|grpc)/' },
    },
    {
      name: 'edge-is-a-kmip-client',
      severity: 'error',
      comment: 'the data plane carries no server that it could be attacked through',
      from: { path: '^libs/edge/', pathNot: spec },
      to: { path: '^libs/kmip/server/' },
    },
    {
      name: 'evidence-verify-stands-alone',
      severity: 'error',
      comment: 'an auditor reads it whole: kernel, crypto and, for proofs, transparency only',
      from: { path: '^libs/evidence/verify/', pathNot: spec },
      to: {
        path: '^(libs|apps|projections)/',
        pathNot: '^libs/(kernel|crypto|transparency|evidence/verify)/',
      },
    },
    {
      name: 'projections-are-pure',
      severity: 'error',
      comment: 'a rebuild must equal the live one',
      from: { path: '^projections/', pathNot: spec },
      to: { path: '^(libs|apps)/', pathNot: '^libs/(domain|kernel|read-models/index)' },
    },
    {
      name: 'pure-rooms-touch-no-machine',
      severity: 'error',
      comment: 'no clock, disk or network in a rule',
      from: { path: '^(libs/(domain|processes)|projections)/', pathNot: spec },
      to: { dependencyTypes: ['core'] },
    },
    {
      name: 'custody-only-in-core',
      severity: 'error',
      comment: 'the only code that holds a MasterKey; test code stands in for its ports',
      from: {
        path: '^(apps|libs|projections|demo)/',
        pathNot: '^(apps/(core|standalone)|libs/(custody|testing))/',
      },
      to: { path: '^libs/custody/' },
    },
    {
      name: 'no-nest-below-application',
      severity: 'error',
      comment: 'libraries run without a container',
      from: {
        path: '^(libs|projections)/',
        pathNot: '^libs/(application|platform|messaging/nest)/',
      },
      to: { path: 'node_modules/@nestjs/' },
    },
    {
      name: 'no-nest-in-the-data-plane',
      severity: 'error',
      comment: 'the Edge is lean; admin/ is loaded after it listens',
      from: { path: '^apps/edge/', pathNot: '^apps/edge/admin/' },
      to: { path: 'node_modules/@nestjs/' },
    },
    {
      name: 'node-crypto-in-few-rooms',
      severity: 'error',
      comment: 'cryptography is reviewed in one place',
      from: {
        path: '^(apps|libs|projections)/',
        pathNot: [
          spec,
          '^libs/(kernel|crypto|custody|transparency|testing)/',
          // X.509 names of a TLS peer.
          '^(libs/kmip/server/identity|apps/edge/tls)\\.ts$',
          // The customer's own keystore: another product as far as trust goes.
          '^apps/keystore/',
        ],
      },
      to: { path: '^(node:)?crypto$' },
    },
    {
      name: 'opentelemetry-in-two-places',
      severity: 'error',
      comment:
        'all others know the ports Tracer and Metrics: whoever tells what is done there may change',
      from: { pathNot: '^libs/(tracing/opentelemetry\\.ts$|platform/metrics/)' },
      to: { path: '(node_modules/|^)@opentelemetry/' },
    },
    {
      name: 'tracing-by-configuration',
      severity: 'error',
      comment: 'the SDK costs 200 ms and 40 MB: only who configured it pays',
      from: {},
      to: { path: '^libs/tracing/opentelemetry\\.ts$', dynamic: false },
    },
    {
      name: 'libs-not-to-apps',
      severity: 'error',
      comment: 'libraries do not know who composes them',
      from: { path: '^(libs|projections)/', pathNot: spec },
      to: { path: '^(apps|demo)/' },
    },
    {
      name: 'app-not-to-app',
      severity: 'error',
      comment: 'standalone alone composes the others',
      from: { path: '^apps/([^/]+)/', pathNot: '^apps/standalone/' },
      to: { path: '^apps/', pathNot: '^apps/$1/' },
    },
    {
      name: 'demo-not-to-apps',
      severity: 'error',
      comment: 'the demo starts programs, as a newcomer would',
      from: { path: '^demo/' },
      to: { path: '^apps/' },
    },
    {
      name: 'keystore-is-the-customers',
      severity: 'error',
      comment: 'it must show that the product needs nothing of ours on that side',
      from: { path: '^apps/keystore/', pathNot: spec },
      to: { path: '^(libs|projections)/', pathNot: '^libs/kernel/' },
    },
    {
      name: 'edge-app-is-lean',
      severity: 'error',
      comment: 'what runs on a workload machine is the data plane and its configuration',
      from: { path: '^apps/edge/', pathNot: [spec, '^apps/edge/admin/'] },
      to: {
        path: '^(libs|projections)/',
        pathNot: '^libs/(kernel|crypto|kmip|edge|tracing|messaging)/',
      },
    },
    {
      name: 'clients-speak-http',
      severity: 'error',
      comment: 'the CLI uses the public doors',
      from: { path: '^(apps/cli|demo)/', pathNot: spec },
      to: { path: '^libs/', pathNot: '^libs/(kernel|evidence/verify)/' },
    },
    {
      name: 'adapters-by-composition',
      severity: 'error',
      comment: 'an engine is chosen by configuration',
      from: {
        path: '^(apps|libs|projections)/',
        pathNot: [spec, `^libs/(platform|sqlite|testing|${engines}|${remote})/`],
      },
      to: { path: `^libs/(${engines}|${remote})/` },
    },
    {
      name: 'adapters-by-import',
      severity: 'error',
      comment: "a vendor's client is loaded where it is configured, and nowhere else",
      from: { path: '^(apps|libs|projections)/([^/]+/[^/]+)', pathNot: spec },
      to: {
        path: `^libs/(${engines}|${remote}|${drivers})/`,
        pathNot: '^libs/$2/',
        dynamic: false,
      },
    },
    {
      name: 'rooms-by-their-door',
      severity: 'error',
      comment: "a room's inside may change; one test looks at each place that seals",
      from: {
        path: '^(apps|libs|projections|demo|test)/([^/]+)/',
        pathNot: '^test/security/moved-blobs/',
      },
      to: {
        path: '^libs/',
        pathNot: ['^libs/$2/', '^libs/[^/]+/index\\.ts$', '^libs/[^/]+/[^/]+/index\\.ts$'],
      },
    },
    {
      name: 'apps-and-projections-by-their-door',
      severity: 'error',
      comment: "an application's and a read model's inside may change",
      from: { path: '^(apps|libs|projections|demo)/([^/]+)/', pathNot: spec },
      to: { path: '^(apps|projections)/[^/]+/', pathNot: ['^$1/$2/', '^[^/]+/[^/]+/index\\.ts$'] },
    },
    {
      name: 'testing-only-from-specs',
      severity: 'error',
      comment: 'no test code in the product',
      from: { pathNot: `(${spec}|^test/|^libs/testing/)` },
      to: { path: '^libs/testing/' },
    },
    {
      name: 'not-to-unresolvable',
      severity: 'error',
      comment: 'an import that is not there',
      from: {},
      // What is measured or killed is the built product, which a fresh clone has not made yet.
      to: { couldNotResolve: true, pathNot: '^(\\.\\./)+dist/' },
    },
  ],
  options: {
    tsConfig: { fileName: 'tsconfig.json' },
    tsPreCompilationDeps: true,
    doNotFollow: { path: 'node_modules' },
    exclude: { path: '^dist' },
    enhancedResolveOptions: {
      extensions: ['.ts', '.js'],
      exportsFields: ['exports'],
      conditionNames: ['import', 'node', 'default', 'types'],
    },
  },
};
