// Messages of EventStoreDB's protocol, made with the client's own generated classes.
import { createRequire } from 'node:module';

const require = createRequire(import.meta.url);
const generated = (name) => require(`@eventstore/db-client/generated/${name}`);
export const grpc = require('@grpc/grpc-js');
export const { StreamsService } = generated('streams_grpc_pb');
export const { ServerFeaturesService } = generated('serverfeatures_grpc_pb');
const streams = generated('streams_pb');
const shared = generated('shared_pb');
const features = generated('serverfeatures_pb');
const { Status } = generated('status_pb');
const { Any } = require('google-protobuf/google/protobuf/any_pb');
const { Empty: PbEmpty } = require('google-protobuf/google/protobuf/empty_pb');

export const nameOf = (identifier) => Buffer.from(identifier.getStreamName()).toString('utf8');
const identifierOf = (stream) =>
  new shared.StreamIdentifier().setStreamName(new Uint8Array(Buffer.from(stream, 'utf8')));

export const proposed = (message) => ({
  id: message.getId().getString(),
  type: message.getMetadataMap().get('type'),
  contentType: message.getMetadataMap().get('content-type'),
  data: message.getData_asU8(),
  meta: message.getCustomMetadata_asU8(),
});

export function expectedOf(options) {
  if (options.hasNoStream()) return 'no_stream';
  if (options.hasAny()) return 'any';
  if (options.hasStreamExists()) return 'stream_exists';
  return BigInt('getRevision' in options ? options.getRevision() : options.getStreamPosition());
}

export function eventResponse({ stream, revision, position, id, type, contentType, data, meta }) {
  const recorded = new streams.ReadResp.ReadEvent.RecordedEvent()
    .setId(new shared.UUID().setString(id))
    .setStreamIdentifier(identifierOf(stream))
    .setStreamRevision(String(revision))
    .setPreparePosition(String(position))
    .setCommitPosition(String(position))
    .setCustomMetadata(meta)
    .setData(data);
  recorded.getMetadataMap().set('type', type);
  recorded.getMetadataMap().set('content-type', contentType);
  recorded.getMetadataMap().set('created', '17000000000000000');
  const event = new streams.ReadResp.ReadEvent().setCommitPosition(String(position));
  return new streams.ReadResp().setEvent(event.setEvent(recorded));
}
export const notFound = (stream) =>
  new streams.ReadResp().setStreamNotFound(
    new streams.ReadResp.StreamNotFound().setStreamIdentifier(identifierOf(stream)),
  );
export const confirmation = () =>
  new streams.ReadResp().setConfirmation(
    new streams.ReadResp.SubscriptionConfirmation().setSubscriptionId('double'),
  );
export const caughtUp = () => new streams.ReadResp().setCaughtUp(new streams.ReadResp.CaughtUp());
export const checkpoint = (position) =>
  new streams.ReadResp().setCheckpoint(
    new streams.ReadResp.Checkpoint()
      .setCommitPosition(String(position))
      .setPreparePosition(String(position)),
  );

export function appendSuccess({ revision, position }, withPosition) {
  const success = new streams.AppendResp.Success().setCurrentRevision(String(revision));
  if (withPosition)
    success.setPosition(
      new streams.AppendResp.Position()
        .setCommitPosition(String(position))
        .setPreparePosition(String(position)),
    );
  else success.setNoPosition(new shared.Empty());
  return new streams.AppendResp().setSuccess(success);
}
export function appendConflict({ expected, actual }) {
  const wrong = new streams.AppendResp.WrongExpectedVersion();
  if (actual === 'no_stream') wrong.setCurrentNoStream(new shared.Empty());
  else wrong.setCurrentRevision(String(actual));
  if (expected === 'no_stream') wrong.setExpectedNoStream(new shared.Empty());
  else wrong.setExpectedRevision(String(expected));
  return new streams.AppendResp().setWrongExpectedVersion(wrong);
}

export function batchSuccess(correlation, { revision, position }, withPosition) {
  const success = new streams.BatchAppendResp.Success().setCurrentRevision(String(revision));
  if (withPosition)
    success.setPosition(
      new shared.AllStreamPosition()
        .setCommitPosition(String(position))
        .setPreparePosition(String(position)),
    );
  else success.setNoPosition(new PbEmpty());
  return new streams.BatchAppendResp().setCorrelationId(correlation).setSuccess(success);
}
export function batchFailure(correlation, stream, { expected, actual }, deleted) {
  const details = new Any();
  if (deleted) {
    const gone = new shared.StreamDeleted().setStreamIdentifier(identifierOf(stream));
    details.pack(gone.serializeBinary(), 'event_store.client.StreamDeleted');
  } else {
    const wrong = new shared.WrongExpectedVersion();
    if (actual === 'no_stream') wrong.setCurrentNoStream(new PbEmpty());
    else wrong.setCurrentStreamRevision(String(actual));
    if (expected === 'no_stream') wrong.setExpectedNoStream(new PbEmpty());
    else wrong.setExpectedStreamPosition(String(expected));
    details.pack(wrong.serializeBinary(), 'event_store.client.WrongExpectedVersion');
  }
  return new streams.BatchAppendResp()
    .setCorrelationId(correlation)
    .setStreamIdentifier(identifierOf(stream))
    .setError(new Status().setMessage('refused').setDetails(details));
}
export const deletion = () => new streams.DeleteResp().setNoPosition(new shared.Empty());
export const tombstoned = () => new streams.TombstoneResp().setNoPosition(new shared.Empty());

const METHODS = ['Read', 'Append', 'Delete', 'Tombstone', 'BatchAppend'];
export const supported = (version = 'double') =>
  new features.SupportedMethods()
    .setEventStoreServerVersion(version)
    .setMethodsList(
      METHODS.map((method) =>
        new features.SupportedMethod()
          .setMethodName(method.toLowerCase())
          .setServiceName('event_store.client.streams.streams'),
      ),
    );

/** An error as EventStoreDB says it: the client reads its name from the trailers. */
export function failure(code, exception = null, stream = null) {
  const metadata = new grpc.Metadata();
  if (exception !== null) metadata.set('exception', exception);
  if (stream !== null) metadata.set('stream-name', stream);
  return { code, details: exception ?? 'double', metadata };
}
