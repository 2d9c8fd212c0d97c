// The streams service of the double, with the faults that it is told to make.
import { Conflict, Deleted, Log } from './log.mjs';
import * as wire from './wire.mjs';

const { status } = wire.grpc;
const gone = (stream) => wire.failure(status.FAILED_PRECONDITION, 'stream-deleted', stream);

export class Service {
  log = new Log();
  /** Left of each fault; see eventstoredb-double.ts for what they are. */
  faults = new Map();
  #open = new Set();

  #takes(fault) {
    const left = this.faults.get(fault) ?? 0;
    if (left <= 0) return false;
    this.faults.set(fault, left - 1);
    return true;
  }
  /** Cuts all reads and subscriptions under way. */
  cut() {
    for (const call of this.#open) call.emit('error', wire.failure(status.UNAVAILABLE));
    this.#open.clear();
  }

  methods = {
    append: (call, done) => {
      let options = null;
      const events = [];
      call.on('data', (request) => {
        if (request.hasOptions()) options = request.getOptions();
        else events.push(wire.proposed(request.getProposedMessage()));
      });
      call.on('error', () => undefined);
      call.on('end', () => this.#append(options, events, done));
    },
    batchAppend: (call) => {
      const held = new Map();
      call.on('data', (request) => this.#batch(call, held, request));
      call.on('error', () => undefined);
      call.on('end', () => call.end());
    },
    read: (call) => this.#read(call),
    delete: ({ request }, done) => {
      const stream = wire.nameOf(request.getOptions().getStreamIdentifier());
      if (this.log.isDeleted(stream)) return done(gone(stream));
      const data = new Uint8Array(Buffer.from(`{"$tb":${2n ** 63n - 1n}}`));
      const id = '00000000-0000-4000-8000-0000000000de';
      const contentType = 'application/json';
      const settings = { id, type: '$metadata', contentType, data, meta: new Uint8Array() };
      this.log.append(`$$${stream}`, 'any', [settings]);
      return done(null, wire.deletion());
    },
    tombstone: ({ request }, done) => {
      const stream = wire.nameOf(request.getOptions().getStreamIdentifier());
      if (this.log.isDeleted(stream)) return done(gone(stream));
      this.log.tombstone(stream);
      return done(null, wire.tombstoned());
    },
  };

  #append(options, events, done) {
    const stream = wire.nameOf(options.getStreamIdentifier());
    const answer = (error, response) =>
      this.#takes('slow') ? setTimeout(() => done(error, response), 300) : done(error, response);
    if (this.#takes('refused')) return answer(wire.failure(status.UNAVAILABLE));
    try {
      const { last, again } = this.log.append(stream, wire.expectedOf(options), events);
      if (this.#takes('lost')) return answer(wire.failure(status.UNAVAILABLE));
      if (this.#takes('silent')) return undefined;
      const withPosition = !again && !this.#takes('noPosition');
      return answer(null, wire.appendSuccess(last, withPosition));
    } catch (error) {
      if (error instanceof Deleted) return answer(gone(stream));
      if (error instanceof Conflict) return answer(null, wire.appendConflict(error));
      throw error;
    }
  }

  #batch(call, held, request) {
    const key = request.getCorrelationId().getString();
    const batch = held.get(key) ?? { options: request.getOptions(), events: [] };
    held.set(key, batch);
    batch.events.push(...request.getProposedMessagesList().map(wire.proposed));
    if (!request.getIsFinal()) return;
    held.delete(key);
    const correlation = request.getCorrelationId();
    const stream = wire.nameOf(batch.options.getStreamIdentifier());
    try {
      const expected = wire.expectedOf(batch.options);
      const { last, again } = this.log.append(stream, expected, batch.events);
      call.write(wire.batchSuccess(correlation, last, !again));
    } catch (error) {
      if (!(error instanceof Conflict || error instanceof Deleted)) throw error;
      call.write(wire.batchFailure(correlation, stream, error, error instanceof Deleted));
    }
  }

  #read(call) {
    const options = call.request.getOptions();
    if (options.hasFilter()) return call.emit('error', wire.failure(status.UNIMPLEMENTED));
    this.#open.add(call);
    call.on('cancelled', () => this.#open.delete(call));
    if (this.#takes('mute')) return undefined;
    if (options.hasSubscription()) return this.#subscribe(call, options);
    const backwards = options.getReadDirection() === 1;
    const found = options.hasAll()
      ? this.#selectAll(options.getAll(), backwards)
      : this.#selectStream(call, options.getStream(), backwards);
    if (found === null) return undefined;
    const records = found.slice(0, Number(options.getCount()));
    // In the middle of what was asked for.
    const halfway = this.#takes('halfway') ? Math.floor(records.length / 2) : Infinity;
    const pump = async () => {
      for (const [at, record] of records.entries()) {
        if (call.cancelled || call.destroyed) return;
        if (at >= halfway) {
          call.emit('error', wire.failure(status.UNAVAILABLE));
          return;
        }
        const response = wire.eventResponse(record);
        if (this.#takes('twice')) call.write(response);
        if (!call.write(response)) await new Promise((drained) => call.once('drain', drained));
      }
      this.#open.delete(call);
      call.end();
    };
    return void pump();
  }

  #selectStream(call, options, backwards) {
    const stream = wire.nameOf(options.getStreamIdentifier());
    if (this.log.isDeleted(stream)) {
      call.emit('error', gone(stream));
      return null;
    }
    const seen = this.log.visible(stream);
    if (seen === null) {
      call.write(wire.notFound(stream));
      call.end();
      return null;
    }
    if (backwards) return seen.toReversed();
    const from = options.hasStart() ? 0n : BigInt(options.getRevision());
    return seen.filter(({ revision }) => revision >= from);
  }
  /** Forwards WITH the position, backwards before it. */
  #selectAll(options, backwards) {
    const { records } = this.log;
    const at = options.hasPosition() ? BigInt(options.getPosition().getCommitPosition()) : null;
    if (backwards)
      return records.filter(({ position }) => at === null || position < at).toReversed();
    if (options.hasEnd()) return [];
    return at === null ? records : records.slice(this.log.from(at));
  }

  /** Catches up behind its position, which is EXCLUSIVE here, says so, and goes on live. */
  #subscribe(call, options) {
    const named = options.hasStream() ? options.getStream() : null;
    const stream = named === null ? null : wire.nameOf(named.getStreamIdentifier());
    const mine = (record) => stream === null || record.stream === stream;
    let next = this.#firstOf(options, named);
    let live = false;
    const pump = () => {
      for (; next < this.log.records.length; next += 1) {
        const record = this.log.records[next];
        if (!mine(record)) continue;
        call.write(wire.eventResponse(record));
        if (this.#takes('twice')) call.write(wire.eventResponse(record));
      }
      if (live) return;
      live = true;
      const last = this.log.records.at(-1);
      if (stream === null) call.write(wire.checkpoint(last.position));
      call.write(wire.caughtUp());
    };
    call.write(wire.confirmation());
    pump();
    const stop = this.log.listen(pump);
    for (const end of ['cancelled', 'error', 'close']) call.on(end, stop);
  }
  #firstOf(options, named) {
    const where = named ?? options.getAll();
    if (where.hasStart()) return 0;
    if (where.hasEnd()) return this.log.records.length;
    const at = named === null ? BigInt(where.getPosition().getCommitPosition()) : null;
    const stream = named === null ? null : wire.nameOf(named.getStreamIdentifier());
    const behind = (record) =>
      at === null
        ? record.stream === stream && record.revision > BigInt(where.getRevision())
        : record.position > at;
    const first = this.log.records.findIndex(behind);
    return first < 0 ? this.log.records.length : first;
  }
}
