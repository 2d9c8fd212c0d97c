export * from './cmk.module.js';
export { EventStreams } from './event-streams.js';
export type { RegionKeysSource } from './ports.js';
