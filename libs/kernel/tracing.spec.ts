import { isSampled, noTracer, spansOf, traceIdOf, traceparentOf, type Tracer } from './tracing.js';

const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736';
const SPAN = '00f067aa0ba902b7';
const of = (flags: string): string => `00-${TRACE}-${SPAN}-${flags}`;

describe('A traceparent', () => {
  it('is one of W3C Trace Context or none', () => {
    expect(traceparentOf(of('01'))).toBe(of('01'));
    const none = [
      undefined,
      [of('01')],
      '',
      `${of('01')}, ${of('01')}`,
      of('01').toUpperCase(),
      `ff-${TRACE}-${SPAN}-01`,
      `00-${'0'.repeat(32)}-${SPAN}-01`,
      `00-${TRACE}-${'0'.repeat(16)}-01`,
      `${of('01')}\n`,
      `${of('01')}-more`,
    ];
    expect(none.map(traceparentOf)).toEqual(none.map(() => undefined));
  });

  it('says which trace it is of, and whether its caller records it', () => {
    expect(traceIdOf(of('01'))).toBe(TRACE);
    expect(['00', '01', '02', '03', 'ff'].map(of).map(isSampled)).toEqual([
      false,
      true,
      false,
      true,
      true,
    ]);
  });
});

describe('Spans of events', () => {
  const started: (string | undefined)[] = [];
  const tracer: Tracer = {
    on: true,
    start: (_name, _kind, parent) => {
      started.push(parent);
      return noTracer.start('', 'internal', parent);
    },
  };
  const event = (traceparent?: string) => ({
    meta: traceparent === undefined ? {} : { traceparent },
  });

  it('are one for each trace among them, and none where none is traced', () => {
    const other = `00-${'a'.repeat(32)}-${SPAN}-01`;
    const events = [event(of('01')), event(), event(other), event(of('01'))];
    expect(spansOf(tracer, 'append', events, {})).toHaveLength(2);
    expect(started).toEqual([of('01'), other]);
    expect(spansOf(noTracer, 'append', events, {})).toEqual([]);
  });
});
