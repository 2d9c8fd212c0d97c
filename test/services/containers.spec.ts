import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { BlockList } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { X509Certificate } from 'node:crypto';
import { readConfig } from '@kcm/platform';
import { readConfig as readEdgeConfig } from '../../apps/edge/config.js';
import { ensureContainerCheck } from '../../scripts/services/container-check.mjs';
import { removeFolder, scratchFolder, Server } from '../support/server.js';

interface Service {
  readonly image: string;
  readonly build?: object;
  readonly command: readonly string[] | null;
  readonly environment: Readonly<Record<string, string>> | null;
  readonly ports?: readonly { readonly host_ip?: string }[];
  readonly networks?: Readonly<Record<string, { readonly ipv4_address?: string } | null>>;
  readonly secrets?: readonly { readonly source: string; readonly target: string }[];
  readonly healthcheck?: { readonly test: readonly string[] };
  readonly read_only?: boolean;
  readonly cap_drop?: readonly string[];
  readonly security_opt?: readonly string[];
  readonly depends_on?: Readonly<Record<string, { readonly condition: string }>>;
}
interface Found {
  readonly project: {
    readonly services: Readonly<Record<string, Service>>;
    readonly secrets: Readonly<Record<string, { readonly file: string }>>;
    readonly networks: {
      readonly kcm: {
        readonly ipam: {
          readonly config: readonly {
            readonly subnet: string;
            readonly ip_range: string;
            readonly gateway: string;
          }[];
        };
      };
    };
  };
  readonly stages: readonly { readonly base: string; readonly commands: readonly string[] }[];
  readonly warnings: readonly string[];
}

const ROOT = join(import.meta.dirname, '..', '..');
const OURS = ['cmk', 'core', 'projector', 'edge'];
/** A whole version after the name, alone or before a variant. */
const EXACT = /^[a-z0-9./-]+:\d+\.\d+\.\d+(-[a-z0-9.-]+)?$/;

const folder = mkdtempSync(join(tmpdir(), 'kcm-containers-'));
let program: string;
let found: Found;
const check = (where: string) => spawnSync(program, [where], { encoding: 'utf8' });
beforeAll(() => {
  program = ensureContainerCheck();
  const done = check(ROOT);
  if (done.status !== 0) throw new Error(done.stderr);
  found = JSON.parse(done.stdout) as Found;
}, 300_000);
afterAll(() => rmSync(folder, { recursive: true }));

const services = () => Object.entries(found.project.services);

describe('The container files', () => {
  it('are as the Compose Specification and the builder of Dockerfiles have them, without a warning', () => {
    expect(found.warnings).toEqual([]);
    expect(services().map(([name]) => name)).toEqual(expect.arrayContaining(OURS));
    const compose = readFileSync(join(ROOT, 'docker-compose.yml'), 'utf8');
    const docker = readFileSync(join(ROOT, 'Dockerfile'), 'utf8');
    const wrong: [string, string, RegExp][] = [
      [compose.replace('read_only: true', 'read_onyl: true'), docker, /read_onyl/],
      [compose.replace('\n  mongodb:\n', '\n  mongo:\n'), docker, /mongodb/],
      [compose, docker.replace('USER node', 'USRE node'), /USRE/],
    ];
    for (const [index, [yaml, text, why]] of wrong.entries()) {
      const where = join(folder, `wrong-${index}`);
      mkdirSync(where);
      writeFileSync(join(where, 'docker-compose.yml'), yaml);
      writeFileSync(join(where, 'Dockerfile'), text);
      expect(check(where)).toMatchObject({ status: 1, stderr: expect.stringMatching(why) });
    }
  });

  it('pin every image by its exact version, publish on loopback only, and ask each for its health', () => {
    const images = [...services().map(([, { image }]) => image), ...bases()];
    expect(images.filter((image) => !EXACT.test(image))).toEqual([]);
    const node = (JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as Package)
      .devDependencies.node;
    expect(bases().every((base) => base.startsWith(`node:${node}-`))).toBe(true);
    for (const [name, service] of services()) {
      const open = (service.ports ?? []).filter(({ host_ip: at }) => at !== '127.0.0.1');
      expect([name, open]).toEqual([name, []]);
      expect([name, service.healthcheck?.test.length ?? 0]).not.toEqual([name, 0]);
      expect([name, service.security_opt]).toEqual([name, ['no-new-privileges:true']]);
      const waits = Object.values(service.depends_on ?? {});
      expect(waits.every(({ condition }) => condition === 'service_healthy')).toBe(true);
    }
  });
  const bases = () => found.stages.map(({ base }) => base);

  it('run our programs as nobody special, over a root that nobody writes', () => {
    for (const name of OURS) {
      const { read_only: fixed, cap_drop: dropped } = found.project.services[name]!;
      expect([name, fixed, dropped]).toEqual([name, true, ['ALL']]);
    }
    const last = found.stages.at(-1)!.commands;
    expect(last).toContain('USER node');
    expect(last.some((command) => command.startsWith('HEALTHCHECK'))).toBe(true);
  });

  it('hold no secret: what is one is a file, which is made by a script and kept out of git', () => {
    for (const [name, { environment }] of services()) {
      const told = Object.entries(environment ?? {}).filter(
        ([key, value]) =>
          (/PASSWORD|TOKEN|SECRET/.test(key) && !key.endsWith('_FILE')) ||
          /:\/\/[^/]*@/.test(value),
      );
      expect([name, told]).toEqual([name, []]);
    }
    const ignored = readFileSync(join(ROOT, '.gitignore'), 'utf8').split('\n');
    expect(ignored).toContain('secrets/');
  });

  it('give each of our programs settings that it takes, with the secrets that the script makes', () => {
    const made = secrets();
    for (const name of ['cmk', 'core', 'projector'] as const) {
      const config = readConfig(settings(name, made), name);
      expect(config).toMatchObject({ KCM_BIND: '0.0.0.0', KCM_SEAL: 'shamir' });
      expect(config.KCM_READ_MODELS).toMatch(/^mongodb:\/\/kcm:[0-9a-f]{64}@mongodb:27017\//);
    }
    const edge = { ...settings('edge', made) };
    for (const key of ['KCM_TLS_CERT', 'KCM_TLS_CA']) edge[key] = join(made, 'tls-cert.pem');
    edge['KCM_TLS_KEY'] = join(made, 'tls-key.pem');
    expect(readEdgeConfig(edge)).toMatchObject({ coreHost: 'core', corePort: 5696 });
  });

  it('let tenants name no address within as a keystore but the one that is a keystore', () => {
    const [{ subnet, ip_range: given, gateway }] = found.project.networks.kcm.ipam.config as [Ipam];
    const own = services().map(
      ([name, { networks }]) => [name, networks?.['kcm']?.ipv4_address ?? null] as const,
    );
    const written = own.filter(([, at]) => at !== null);
    expect(new Set(written.map(([, at]) => at)).size).toBe(written.length);
    // Nobody is given what is written for another, however often containers come and go.
    for (const [, at] of [...written, ['gateway', gateway] as const])
      expect([rangeOf(subnet).check(at!), rangeOf(given).check(at!)]).toEqual([true, false]);
    for (const name of ['cmk', 'core'] as const) {
      const allowed = readConfig(settings(name, secrets()), name).KCM_EGRESS_ALLOW;
      expect(allowed).toEqual([expect.stringMatching(/\/32$/)]);
      const reached = written.filter(([, at]) => rangeOf(allowed[0]!).check(at!));
      expect([name, reached.map(([service]) => service)]).toEqual([name, ['openbao']]);
    }
  });

  it('send and follow on the topics that a script makes, which are those that are described', () => {
    const made = secrets();
    expect(readConfig(settings('projector', made), 'projector').KCM_MESSAGING).toBe(
      'kafka://kafka:19092',
    );
    const script = readFileSync(join(ROOT, 'docker', 'make-topics.sh'), 'utf8');
    const described = JSON.parse(readFileSync(join(ROOT, 'kafka', 'topics.json'), 'utf8')) as {
      topics: { name: string; partitions: number; deadLetter: string }[];
    };
    const topics = described.topics.flatMap(({ name, partitions, deadLetter }) => [
      `${name}:${partitions}`,
      `${deadLetter}:1`,
    ]);
    expect(/^for topic in (.*); do$/m.exec(script)?.[1]?.split(' ')).toEqual(topics);
  });

  it('make secrets once: what is there stays, and nobody else looks into the folder', () => {
    const made = secrets();
    const read = () => readdirSync(made).map((name) => readFileSync(join(made, name), 'utf8'));
    const before = read();
    expect(before).toHaveLength(5);
    secrets();
    expect(read()).toEqual(before);
    expect(statSync(made).mode & 0o777).toBe(0o700);
    const certificate = new X509Certificate(readFileSync(join(made, 'tls-cert.pem')));
    for (const host of ['core', 'projector', 'cmk', 'localhost'])
      expect(certificate.checkHost(host)).toBe(host);
  });

  it('ask a program for its health: one that answers is healthy, one that does not is not', async () => {
    const data = scratchFolder('health');
    const server = new Server(data, {});
    await server.start();
    const env = { KCM_HTTP_PORT: new URL(server.url).port };
    expect(await health(env)).toBe(0);
    const edge = { KCM_CORE: 'core:5696', KCM_DATA_DIR: server.dataDir };
    expect(await health(edge)).toBe(0);
    await server.stop();
    expect(await health(env)).toBe(1);
    expect(await health(edge)).toBe(1);
    removeFolder(data);
  }, 60_000);
});

type Ipam = Found['project']['networks']['kcm']['ipam']['config'][number];

function rangeOf(cidr: string): BlockList {
  const [net, bits] = cidr.split('/') as [string, string];
  const range = new BlockList();
  range.addSubnet(net, Number(bits));
  return range;
}

interface Package {
  readonly devDependencies: { readonly node: string };
}

/** The folder that the script made, once for all. */
function secrets(): string {
  const made = join(folder, 'secrets');
  const done = spawnSync('sh', [join(ROOT, 'docker', 'make-secrets.sh'), made]);
  if (done.status !== 0) throw new Error(String(done.stderr));
  return made;
}

/** As the program sees them, with the secrets of that folder for those of the container. */
function settings(name: string, made: string): Record<string, string> {
  const { environment, secrets: mounted = [] } = found.project.services[name]!;
  const files = new Map(
    mounted.map(({ source, target }) => [
      target,
      found.project.secrets[source]!.file.replace(join(ROOT, 'secrets'), made),
    ]),
  );
  return Object.fromEntries(
    Object.entries(environment ?? {}).map(([key, value]) => [key, files.get(value) ?? value]),
  );
}

async function health(env: Record<string, string>): Promise<number> {
  const child = spawn(process.execPath, [join(ROOT, 'docker', 'health.mjs')], {
    env,
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  const [code] = (await once(child, 'exit')) as [number];
  return code;
}
