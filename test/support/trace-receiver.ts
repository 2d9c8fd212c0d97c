import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Stage } from './processes.js';

/** A span as a collector has it. */
export interface TracedSpan {
  readonly service: string;
  readonly region: string;
  readonly name: string;
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId: string;
  readonly kind: number;
  readonly attributes: Readonly<Record<string, unknown>>;
  readonly failed: boolean;
}
interface Attribute {
  readonly key: string;
  readonly value: Readonly<Record<string, unknown>>;
}
interface Exported {
  readonly resourceSpans: readonly {
    readonly resource: { readonly attributes: readonly Attribute[] };
    readonly scopeSpans: readonly {
      readonly spans: readonly (Omit<
        TracedSpan,
        'attributes' | 'service' | 'region' | 'parentSpanId'
      > & {
        readonly parentSpanId?: string;
        readonly attributes: readonly Attribute[];
        readonly status: { readonly code?: number };
      })[];
    }[];
  }[];
}

const flat = (attributes: readonly Attribute[]): Record<string, unknown> =>
  Object.fromEntries(attributes.map(({ key, value }) => [key, Object.values(value)[0]]));

/** Where programs send traces: OTLP over HTTP, as JSON. A double of a collector. */
export class TraceReceiver {
  readonly spans: TracedSpan[] = [];
  /** All that came, as it came. */
  readonly bodies: Buffer[] = [];

  private constructor(private readonly server: Server) {}

  static async listen(stage: Pick<Stage, 'atEnd'>): Promise<TraceReceiver> {
    const server = createServer((incoming, outgoing) => {
      const chunks: Buffer[] = [];
      incoming.on('data', (chunk: Buffer) => chunks.push(chunk));
      incoming.on('end', () => {
        receiver.#take(Buffer.concat(chunks));
        outgoing.writeHead(200, { 'content-type': 'application/json' }).end('{}');
      });
    });
    const receiver = new TraceReceiver(server);
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    stage.atEnd(() => receiver.close());
    return receiver;
  }

  /** What a program is told so that it sends here, and soon. */
  get env(): Readonly<Record<string, string>> {
    return {
      OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`,
      OTEL_EXPORTER_OTLP_PROTOCOL: 'http/json',
      OTEL_BSP_SCHEDULE_DELAY: '100',
    };
  }

  /** In the order in which they came. */
  of(traceId: string): readonly TracedSpan[] {
    return this.spans.filter((span) => span.traceId === traceId);
  }

  close(): void {
    this.server.closeAllConnections();
    this.server.close();
  }

  #take(body: Buffer): void {
    this.bodies.push(body);
    const { resourceSpans } = JSON.parse(body.toString('utf8')) as Exported;
    for (const { resource, scopeSpans } of resourceSpans) {
      const about = flat(resource.attributes);
      const [service, region] = [String(about['service.name']), String(about['kcm.region'])];
      for (const span of scopeSpans.flatMap(({ spans }) => spans)) {
        const { attributes, status, parentSpanId = '', ...rest } = span;
        const failed = status.code === 2;
        const told = { ...rest, parentSpanId, attributes: flat(attributes), failed };
        this.spans.push({ service, region, ...told });
      }
    }
  }
}
