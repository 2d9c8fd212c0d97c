export * from './cmk.module.js';
export type { RegionKeysSource } from './ports.js';
