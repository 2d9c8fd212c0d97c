export { CmkPart } from './cmk-part.js';
export { EventStreams } from './event-streams.js';
