export type { KmipFrontParts } from './front-parts.js';
export * from './kmip-front.js';
export { standingLocks } from './notifier.js';
export { keyChanges } from './key-changes.js';
export type { AccessChange, KeyNotice, Notified } from './notifier.js';
export type { Signed } from './statements.js';
